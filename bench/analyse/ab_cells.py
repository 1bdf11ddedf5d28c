"""The cells of `bench ab`: step, phases and layers of each variant in both trees, by round and arm."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.analyse import ratios
from bench.analyse.deaths import HEAD
from bench.analyse.load import RunData
from bench.analyse.stats import NOTHING, Interval, as_ratio, shift_interval
from bench.analyse.verdicts import Control

CONTROLS = ["A", "A'"]
SCOPES = ("step", "phase", "layer")
KEYS = ["variant_id", "scope", "layer", "phase"]

Key = tuple[str, str, str, str]
"""The values of KEYS: what names a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A cell of a variant in both trees: a row of changes.csv. `ratio` is the base's seconds over the head's."""

    variant_id: str
    scope: str = "step"
    layer: str = ""
    phase: str = ""
    base_s: float = math.nan
    head_s: float = math.nan
    ratio: Interval = NOTHING
    verdict: str = ""
    """Empty if the cell is worth too little to judge, or only one tree has it."""
    flag: str = ""
    """FASTER or SLOWER by the first rounds."""
    confirmed: bool | None = None
    """Whether the fresh rounds said the same; None if nothing was flagged, or some of these rounds are missing."""
    p: float = math.nan
    """The fresh rounds' p that the change is beyond delta: one-sided, adjusted by Holm."""
    worth: float = math.nan
    """What the head adds to the base's seconds by the ratio, over the base's step; within rounds, as the ratio is."""
    n: int = 0
    reason: str = ""

    @property
    def key(self) -> Key:
        """The values of KEYS."""
        return (self.variant_id, self.scope, self.layer, self.phase)

    @property
    def name(self) -> str:
        """The cell within its variant: `step`, `forward`, `1.0 backward`."""
        return " ".join(filter(None, (self.layer, self.phase))) or "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The complete rounds of one stage."""

    rounds: list[int]
    cells: dict[Key, pd.DataFrame]
    """Seconds: a row a round, a column an arm."""
    controls: list[Control]
    """The base's step of each variant, compared with itself."""

    @property
    def noisy(self) -> set[str]:
        """The devices on which identical code came out different."""
        return {control.device for control in self.controls if control.noisy}


def stage_of(data: RunData, name: str) -> Stage:
    """The stage `measure` or `confirm` of a run."""
    rounds = data.rounds if name == "measure" else data.confirm_rounds
    values = data.values  # noqa: PD011 - a field of ours
    walls = values[(values.stage == name) & (values.metric == "wall") & values["round"].isin(rounds)]
    cells: dict[Key, pd.DataFrame] = {}
    if len(walls):
        # pivot, not pivot_table: a trial that gave two values must be an error, not their mean
        table = walls.pivot(index=[*KEYS, "round"], columns="arm", values="value")  # noqa: PD010
        by_key = {key: arms.droplevel(KEYS) for key, arms in table.groupby(level=KEYS)}
        as_measured = dict.fromkeys(walls[KEYS].itertuples(index=False, name=None))
        cells = {key: by_key[key] for key in as_measured}
    steps = {key[0]: arms.reindex(columns=CONTROLS).dropna() for key, arms in cells.items() if key[1] == "step"}
    controls = [ratios.control(data, variant_id, np.log(arms)) for variant_id, arms in steps.items() if len(arms)]
    return Stage(rounds=rounds, cells=cells, controls=controls)


def measured(change: Change, arms: pd.DataFrame, step_s: float) -> Change:
    """The cell with its seconds and ratio, over rounds that have every arm."""
    whole = arms.dropna()
    if whole.empty:
        return change
    base_s, head_s = median_s(whole, CONTROLS), median_s(whole, [HEAD])
    ratio, worth = NOTHING, (head_s - base_s) / step_s
    if (whole > 0).to_numpy().all():
        logs = np.log(whole)
        ratio = as_ratio(shift_interval(logs[HEAD], logs[CONTROLS]))
        worth = (1 / ratio.estimate - 1) * base_s / step_s
    return replace(change, base_s=base_s, head_s=head_s, ratio=ratio, worth=worth, n=len(whole))


def median_s(arms: pd.DataFrame, names: list[str]) -> float:
    """The median over the trials of some arms."""
    return float(np.nanmedian(arms[names].to_numpy()))


def whole_rounds(cells: dict[Key, pd.DataFrame], key: Key) -> pd.DataFrame:
    """The rounds in which every arm of a cell has a time above 0; none if the cell lacks a round that its step has."""
    step = complete(cells.get((key[0], "step", "", "")))
    arms = complete(cells.get(key))
    return arms if len(arms) == len(step) and (arms > 0).to_numpy().all() else arms.iloc[:0]


def complete(arms: pd.DataFrame | None) -> pd.DataFrame:
    """A cell's rounds that have every arm."""
    return (pd.DataFrame() if arms is None else arms).reindex(columns=[*CONTROLS, HEAD]).dropna()
