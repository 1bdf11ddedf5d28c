"""Intervals over trials. All values are one a round: never samples pooled across trials."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
LEAST_ROUNDS = 6
"""Below, no order statistics hold the median with 95 %: 1 - 2 / 2**5 is 93.75 %."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and its interval of 95 %; NaN where the rounds can't carry it."""

    estimate: float
    lo: float
    hi: float

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return not (math.isnan(self.lo) or math.isnan(self.hi))


NOTHING = Interval(estimate=math.nan, lo=math.nan, hi=math.nan)


@lru_cache
def median_rank(n: int) -> int:
    """The 1-based rank r such that the r-th smallest and r-th largest of n hold the median with 95 %.

    0 where no rank does (n < 6). From the sign test: P(fewer than r of n below the median) <= 2.5 %.
    """
    return int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)) if n >= LEAST_ROUNDS else 0


def median_interval(values: ArrayLike) -> Interval:
    """The median of independent values and its exact distribution-free interval."""
    ordered: Values = np.sort(np.asarray(values, dtype=np.float64))
    ordered = ordered[~np.isnan(ordered)]
    if not len(ordered):
        return NOTHING
    rank, estimate = median_rank(len(ordered)), float(np.median(ordered))
    if not rank:
        return Interval(estimate=estimate, lo=math.nan, hi=math.nan)
    return Interval(estimate=estimate, lo=float(ordered[rank - 1]), hi=float(ordered[-rank]))


def shift_interval(variant: ArrayLike, controls: ArrayLike) -> Interval:
    """By how much `variant` lies above `controls`, with its interval of 95 %.

    `variant` has one value a round (n,), `controls` one or more (n, k), the same rounds in the same
    order; values are logarithms, so the shift is the log of a ratio. Inverts Hodges and Lehmann's
    aligned-rank test (1962): under a shift theta, round r's values less their median are
    exchangeable, so the variant's rank among all is any of its round's with equal chance.
    NaN bounds where even an endless shift would not be rejected, or the rounds are fewer than 6 (than 7
    against one control: there the normal approximation rejects 6.25 % at 6).
    Raises ValueError for shapes that don't fit or values that are not finite.
    """
    v: Values = np.asarray(variant, dtype=np.float64)
    c: Values = np.asarray(controls, dtype=np.float64)
    if v.ndim != 1 or c.ndim != 2 or len(v) != len(c) or not c.shape[1]:
        msg = f"needs values of shape (n,) and controls of shape (n, k), got {v.shape} and {c.shape}"
        raise ValueError(msg)
    if not (np.isfinite(v).all() and np.isfinite(c).all()):
        msg = "values must be finite"
        raise ValueError(msg)
    if not len(v):
        return NOTHING
    differences = v[:, None] - c
    low, high = float(differences.min()) - 1, float(differences.max()) + 1
    at_zero = (_cross(v, c, 0.0, low, high) - _cross(-v, -c, 0.0, -high, -low)) / 2
    critical = float(stats.norm.ppf((1 + LEVEL) / 2))
    carries = len(v) >= (LEAST_ROUNDS if c.shape[1] > 1 else LEAST_ROUNDS + 1)
    carries = carries and z_of_shift(v, c, low) > critical and z_of_shift(v, c, high) < -critical
    if not carries:
        return Interval(estimate=at_zero, lo=math.nan, hi=math.nan)
    return Interval(
        estimate=at_zero,
        lo=_cross(v, c, critical, low, high),
        hi=-_cross(-v, -c, critical, -high, -low),
    )


def z_of_shift(variant: Values, controls: Values, shift: float) -> float:
    """How many standard deviations the variant's aligned rank sum lies above what `shift` explains."""
    rounds = np.column_stack((variant - shift, controls))
    aligned = rounds - np.median(rounds, axis=1, keepdims=True)
    # Equal values must tie, whatever the last bit of their subtraction.
    ranks = stats.rankdata(np.round(aligned, 12)).reshape(rounds.shape)
    variance = ranks.var(axis=1).sum()
    if variance == 0:
        return 0.0
    return float((ranks[:, 0].sum() - ranks.mean(axis=1).sum()) / math.sqrt(variance))


def _cross(variant: Values, controls: Values, level: float, low: float, high: float) -> float:
    """The shift at which z falls to `level`, by bisection.

    The rank sum falls as the shift grows; its deviation, and so z, may waver a little where three arms tie.
    """
    while high - low > 1e-7:
        middle = (low + high) / 2
        if z_of_shift(variant, controls, middle) > level:
            low = middle
        else:
            high = middle
    return high
