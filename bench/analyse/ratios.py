"""How many times as fast a variant is as another, within rounds; and whether identical code comes out the same."""

import math

import numpy as np
import pandas as pd

from bench.analyse.load import RunData
from bench.analyse.stats import NOTHING, Interval, as_ratio, inverse, shift_interval
from bench.analyse.verdicts import Control
from bench.core.variants import LARGEST


def controls(data: RunData) -> list[Control]:
    """A against A' of every variant that was measured twice: A' over A."""
    steps = ((variant_id, log_steps(data, variant_id)) for variant_id in data.variants)
    return [control(data, variant_id, logs) for variant_id, logs in steps if "A'" in logs]


def control(data: RunData, variant_id: str, logs: pd.DataFrame) -> Control:
    """A against A' of one variant, from the logs of its steps by round and arm."""
    ratio = as_ratio(shift_interval(logs["A'"], logs[["A"]]))
    return Control(variant_id=variant_id, device=data.variants[variant_id].device, ratio=ratio, rounds=len(logs))


def ratio_to(data: RunData, variant_id: str, reference_id: str) -> tuple[Interval, int]:
    """The reference's seconds per image over the variant's, from rounds that have both; and their number.

    Where one of the two is a baseline, its two arms are both held against the other.
    """
    mine, reference = log_steps(data, variant_id), log_steps(data, reference_id)
    rounds = mine.index.intersection(reference.index)
    if variant_id == reference_id or rounds.empty:
        return NOTHING, 0
    mine, reference = mine.loc[rounds], reference.loc[rounds]
    if mine.shape[1] > 1 and reference.shape[1] > 1:
        mine, reference = (arms.mean(axis=1).to_frame() for arms in (mine, reference))
    if mine.shape[1] == 1:
        return as_ratio(shift_interval(mine.iloc[:, 0], reference)), len(rounds)
    return inverse(as_ratio(shift_interval(reference.iloc[:, 0], mine))), len(rounds)


def log_steps(data: RunData, variant_id: str) -> pd.DataFrame:
    """Logs of seconds per image by complete round, a column an arm; only rounds that have every arm."""
    arms = data.steps.get(variant_id, pd.DataFrame()).dropna()
    return pd.DataFrame(np.log(arms / batch_of(data, variant_id)))


def batch_of(data: RunData, variant_id: str) -> float:
    """The images a step of a variant; NaN for `max` if the largest was not found."""
    size = data.variants[variant_id].batch_size
    return float(data.run.learned.largest.get(variant_id, math.nan) if size == LARGEST else size)


def baseline_of(data: RunData, variant_id: str) -> str | None:
    """The baseline that a variant is held against, if the run has it."""
    baseline = data.variants[variant_id].baseline.id
    return baseline if baseline in data.variants else None
