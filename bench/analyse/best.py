"""Which arms the rounds do not tell apart from the fastest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bench.analyse.load import RunData
from bench.analyse.ratios import log_steps
from bench.analyse.stats import LEAST_ROUNDS, Values
from bench.analyse.verdicts import ONCE

SHUFFLES = 1999
"""Within-round shuffles that stand for all: p is then known to 0.5 points at 5 %."""


def alike(data: RunData, variant_ids: Sequence[str]) -> list[str]:
    """Those of some variants that the rounds do not tell apart from the fastest of them, at the run's own level."""
    looks = data.run.plan.looks
    logs = {variant_id: log_steps(data, variant_id) for variant_id in variant_ids}
    if not logs:
        return []
    frame = pd.concat(logs, axis=1).dropna(how="all")
    in_set = fastest_set(frame.to_numpy(), looks.error if looks else ONCE)
    return list(dict.fromkeys(str(variant_id) for (variant_id, _), is_in in zip(frame, in_set, strict=True) if is_in))


def fastest_set(logs: ArrayLike, error: float) -> NDArray[np.bool_]:
    """Whether each arm may be the fastest: the set of all that the rounds do not tell apart from it.

    `logs` is (rounds, arms), logarithms of seconds per image; the baseline's two arms are two columns, and the
    baseline is in the set if either is. With a chance of at least 1 - 2 * error the set holds every arm that is
    truly as fast as the fastest, all at once, however many they are.
    While the range of the arms' aligned rank sums is larger than chance gives, the slowest arm leaves, and those that
    are left are ranked again. Chance is what shuffles within rounds give (Hodges and Lehmann, 1962; step-down as in
    Hansen's model confidence set, 2011). The shuffles are seeded, so equal values give equal sets.
    An arm without a value in some round is not in the set, and the others are judged without it: its other trials may
    be the lucky ones. All others are in if the rounds are fewer than 6.
    Raises ValueError if `logs` has not two dimensions.
    """
    values: Values = np.asarray(logs, dtype=np.float64)
    if values.ndim != 2:
        msg = f"needs values of shape (rounds, arms), got {values.shape}"
        raise ValueError(msg)
    left = np.flatnonzero(np.isfinite(values).all(axis=0))
    if len(values) >= LEAST_ROUNDS:
        left = _step_down(values, left, 2 * error)
    return np.isin(np.arange(values.shape[1]), left)


def _step_down(values: Values, left: NDArray[np.intp], level: float) -> NDArray[np.intp]:
    """The columns that stay if the slowest leaves as long as chance explains the range of rank sums too rarely."""
    while len(left) > 1:
        ranks = _aligned_ranks(values[:, left])
        if p_of_range(ranks) > level:
            break
        left = np.delete(left, int(np.argmax(ranks.sum(axis=0))))
    return left


def p_of_range(ranks: Values) -> float:
    """The chance of a range of the arms' rank sums as large as this, or larger, if ranks are shuffled within rounds."""
    copies = np.broadcast_to(ranks, (SHUFFLES, *ranks.shape))
    shuffled = np.random.default_rng(0).permuted(copies, axis=-1).sum(axis=1)
    at_least = np.ptp(shuffled, axis=-1) >= np.ptp(ranks.sum(axis=0))
    return float((1 + at_least.sum()) / (1 + SHUFFLES))


def _aligned_ranks(values: Values) -> Values:
    """Mid-ranks among all rounds' values, each less its round's median: (rounds, arms)."""
    # Equal values must tie, whatever the last bit of their subtraction.
    aligned = np.round(values - np.median(values, axis=1, keepdims=True), 12)
    return np.asarray(stats.rankdata(aligned).reshape(values.shape))
