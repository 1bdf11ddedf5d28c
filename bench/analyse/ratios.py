"""How many times as fast one variant is as another, within rounds; and whether identical code comes out the same."""

import math
from statistics import fmean

import numpy as np
import pandas as pd

from bench.analyse.load import RunData, cell
from bench.analyse.stats import NOTHING, Interval, as_ratio, exact_interval, inverse, shift_interval
from bench.analyse.verdicts import Control
from bench.core.variants import LARGEST


def controls(data: RunData) -> list[Control]:
    """How many times as fast A' is as A, for every variant that was measured twice."""
    steps = ((variant_id, log_steps(data, variant_id)) for variant_id in data.variants)
    return [control(data, variant_id, logs) for variant_id, logs in steps if "A'" in logs]


def control(data: RunData, variant_id: str, logs: pd.DataFrame) -> Control:
    """How many times as fast A' is as A, from the logs of one variant's steps by round and arm."""
    ratio = shift(data, logs["A'"], logs[["A"]])
    device, delta = data.variants[variant_id].device, data.delta(variant_id)
    return Control(variant_id=variant_id, device=device, ratio=ratio, rounds=len(logs), delta=delta)


def itself_by_round(data: RunData, variant_id: str) -> pd.Series:
    """How many times as fast A' of a variant is as A in each round of both stages: identical code beside itself."""
    walls = cell(data.values, "wall")
    walls = walls[walls["round"].isin([*data.rounds, *data.confirm_rounds]) & (walls.stage != "pilot")]
    arms = walls[walls.variant_id == variant_id].pivot(index="round", columns="arm", values="value")  # noqa: PD010
    return (arms["A"] / arms["A'"]).dropna()


def shift(data: RunData, logs: pd.Series, controls: pd.DataFrame) -> Interval:
    """How many times as fast an arm is as its controls, from logs of seconds by round, at the level of the plan."""
    looks = data.run.plan.looks
    if looks is None:
        return as_ratio(shift_interval(logs, controls))
    return as_ratio(exact_interval(logs, controls, looks.error))


def ratio_to(data: RunData, variant_id: str, reference_id: str) -> tuple[Interval, int]:
    """The reference's seconds per image over the variant's, and the number of rounds that have both.

    Only these rounds count. If one of the two is a baseline, both its arms are compared with the other.
    """
    logs, reference = log_steps(data, variant_id), log_steps(data, reference_id)
    rounds = logs.index.intersection(reference.index)
    if variant_id == reference_id or rounds.empty:
        return NOTHING, 0
    logs, reference = logs.loc[rounds], reference.loc[rounds]
    if logs.shape[1] > 1 and reference.shape[1] > 1:
        logs, reference = (arms.mean(axis=1).to_frame() for arms in (logs, reference))
    if logs.shape[1] == 1:
        return shift(data, logs.iloc[:, 0], reference), len(rounds)
    return inverse(shift(data, reference.iloc[:, 0], logs)), len(rounds)


def log_steps(data: RunData, variant_id: str) -> pd.DataFrame:
    """Logs of seconds per item: a row a complete round that has every arm, a column an arm."""
    arms = data.steps.get(variant_id, pd.DataFrame()).dropna()
    return pd.DataFrame(np.log(arms / items_of(data, variant_id)))


def batch_of(data: RunData, variant_id: str) -> float:
    """The images in a batch of a variant; NaN for `max` if the largest batch is not known."""
    size = data.variants[variant_id].batch_size
    return float(data.run.learned.largest.get(variant_id, math.nan) if size == LARGEST else size)


def all_batches_of(data: RunData, variant_id: str) -> float:
    """The images in a step of a variant over all its ranks, each of which has a batch of its own."""
    return batch_of(data, variant_id) * data.variants[variant_id].world_size


def items_of(data: RunData, variant_id: str) -> float:
    """The items in a step of a variant, such as images or tokens; earlier runs have images, as many as the batches.

    Variants of one model have the same mean for each of a batch, whichever batches their own trials came to.
    """
    counted = [
        items.count / all_batches_of(data, other)
        for other, items in data.run.learned.items.items()
        if other in data.variants and data.variants[other].model == data.variants[variant_id].model
    ]
    return all_batches_of(data, variant_id) * (fmean(counted) if counted else 1.0)


def unit_of(data: RunData) -> str:
    """What a step of the run's variants works through, such as images; items if they differ."""
    units = {items.unit for items in data.run.learned.items.values()} or {"images"}
    return units.pop() if len(units) == 1 else "items"


def baseline_of(data: RunData, variant_id: str) -> str | None:
    """The baseline that a variant is compared with, if the run has it."""
    baseline = data.variants[variant_id].baseline.id
    return baseline if baseline in data.variants else None
