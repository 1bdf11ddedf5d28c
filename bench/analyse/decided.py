"""Whether the rounds of a run have said enough: what is asked at each look."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.analyse.stats import Interval
from bench.analyse.verdicts import NOISY, UNDECIDED

OPEN = (UNDECIDED, NOISY)
ENOUGH_OF_GAIN = 0.25
"""A gain that is known to within this share of itself needs no more rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The fastest judged variant of a device and model, with its ratio to its baseline."""

    variant_id: str
    ratio: Interval
    is_sharp: bool
    """Whether half of the interval (in logs) is no more than the change that matters, or than a quarter of the gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the verdicts of a run stand after some rounds."""

    rounds: int
    judged: int
    """How many variants get a verdict. If a trial of a variant or of its baseline died, the variant is not counted:
    it stays UNDECIDED."""
    undecided: int
    leaders: tuple[Leader, ...]

    @property
    def is_decided(self) -> bool:
        """Whether each judged variant has its verdict, and each leader a sharp ratio; so also if none is judged."""
        return not self.undecided and all(leader.is_sharp for leader in self.leaders)


def decided(folder: Path) -> bool:
    """Whether the rounds of a run may end."""
    return standing(load(folder)).is_decided


def standing(data: RunData) -> Standing:
    """How the verdicts of a run stand."""
    steps = tables.steps(data)
    whole = steps.variant_id.map(lambda v: is_whole(data, v)).astype(bool)
    judged = steps[(steps.verdict != "") & whole & steps.variant_id.map(lambda v: is_awaited(data, v)).astype(bool)]
    rated = judged.dropna(subset="items_per_s")  # an INVALID variant has no speed
    places = [(data.variants[v].device, data.variants[v].model) for v in rated.variant_id]
    fastest = rated.assign(place=places).sort_values("items_per_s", ascending=False).drop_duplicates("place")
    return Standing(
        rounds=len(data.rounds),
        judged=len(judged),
        undecided=int(judged.verdict.isin(OPEN).sum()),
        leaders=tuple(leader(data, row) for _, row in fastest.iterrows()),
    )


def is_awaited(data: RunData, variant_id: str) -> bool:
    """Whether the rounds wait for a variant's verdict: after a race only for the candidates that it left."""
    left = data.run.state.candidates
    return left is None or variant_id in left


def is_whole(data: RunData, variant_id: str) -> bool:
    """Whether no trial of a variant or of its baseline died in a complete round."""
    compared = filter(None, (variant_id, tables.baseline_of(data, variant_id)))
    return not any(tables.spoilt(data, v) for v in compared)


def leader(data: RunData, row: pd.Series) -> Leader:
    """The leader of a row of steps.csv."""
    variant_id = str(row.variant_id)
    ratio = Interval(estimate=row.ratio, lo=row.ratio_lo, hi=row.ratio_hi)
    half_width = math.log(ratio.hi / ratio.lo) / 2 if ratio.known else math.inf
    enough = max(math.log1p(data.delta(variant_id)), abs(math.log(ratio.estimate)) * ENOUGH_OF_GAIN)
    return Leader(variant_id=variant_id, ratio=ratio, is_sharp=half_width <= enough)
