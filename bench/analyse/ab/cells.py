"""The cells of `bench ab`: step, phases and layers of each variant in both trees, and the step's page faults."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench.analyse import ratios
from bench.analyse.ab.deaths import HEAD
from bench.analyse.ab.judged import JUDGED, STEP_TIME, Judged
from bench.analyse.load import RunData
from bench.analyse.stats import NOTHING, Interval, as_ratio, shift_interval
from bench.analyse.verdicts import Control
from bench.core.metrics.registry import metric

CONTROLS = ["A", "A'"]
SCOPES = ("step", "phase", "layer")
KEYS = ["variant_id", "scope", "layer", "phase", "metric"]

Key = tuple[str, str, str, str, str]
"""The values of KEYS: what names a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A cell of a variant in both trees: a row of changes.csv. `ratio` is base over head, on the metric's scale."""

    variant_id: str
    scope: str = "step"
    layer: str = ""
    phase: str = ""
    metric: str = STEP_TIME.metric
    base: float = math.nan
    """Seconds, or page faults a step."""
    head: float = math.nan
    ratio: Interval = NOTHING
    verdict: str = ""
    """Empty if the cell is worth too little to judge, or only one tree has it."""
    flag: str = ""
    """The word of a change, by the first rounds."""
    confirmed: bool | None = None
    """Whether the fresh rounds said the same; None if nothing was flagged, or some of these rounds are missing."""
    p: float = math.nan
    """The fresh rounds' p that the change is beyond delta: one-sided, adjusted by Holm."""
    worth: float = math.nan
    """What the head adds to the base's seconds by the ratio, over the base's step; within rounds, as the ratio is.
    NaN for page faults."""
    n: int = 0
    reason: str = ""

    @classmethod
    def of(cls, key: Key) -> "Change":
        """A cell of which nothing but its name is known."""
        variant_id, scope, layer, phase, metric_name = key
        return cls(variant_id=variant_id, scope=scope, layer=layer, phase=phase, metric=metric_name)

    @property
    def key(self) -> Key:
        """The values of KEYS."""
        return (self.variant_id, self.scope, self.layer, self.phase, self.metric)

    @property
    def judged(self) -> Judged:
        """How its values are compared."""
        return JUDGED[self.metric]

    @property
    def timed(self) -> bool:
        """Whether its values are seconds."""
        return self.metric == STEP_TIME.metric

    @property
    def of_step(self) -> bool:
        """Whether it is the time of the whole step."""
        return self.timed and self.scope == "step"

    @property
    def name(self) -> str:
        """The cell within its variant: `step`, `forward`, `1.0 backward`, `page faults`."""
        return " ".join(filter(None, (self.layer, self.phase))) or metric(self.metric).page


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The complete rounds of one stage."""

    rounds: list[int]
    cells: dict[Key, pd.DataFrame]
    """Seconds or page faults: a row a round, a column an arm."""
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
    judged = values.metric.isin(JUDGED) & values.scope.isin(SCOPES)
    counted = values[judged & (values.stage == name) & values["round"].isin(rounds)]
    cells: dict[Key, pd.DataFrame] = {}
    if len(counted):
        # pivot, not pivot_table: a trial that gave two values must be an error, not their mean
        table = counted.pivot(index=[*KEYS, "round"], columns="arm", values="value")  # noqa: PD010
        by_key = {key: arms.droplevel(KEYS) for key, arms in table.groupby(level=KEYS)}
        as_measured = dict.fromkeys(counted[KEYS].itertuples(index=False, name=None))
        cells = {key: by_key[key] for key in as_measured}
    steps = {key[0]: cells[key].reindex(columns=CONTROLS).dropna() for key in cells if key == step_key(key[0])}
    controls = [ratios.control(data, variant_id, np.log(arms)) for variant_id, arms in steps.items() if len(arms)]
    return Stage(rounds=rounds, cells=cells, controls=controls)


def step_key(variant_id: str) -> Key:
    """The cell of a variant's step."""
    return Change(variant_id=variant_id).key


def measured(change: Change, arms: pd.DataFrame, step_s: float) -> Change:
    """The cell with its values and ratio, over rounds that have every arm."""
    whole = arms.dropna()
    if whole.empty:
        return change
    base, head = median_of(whole, CONTROLS), median_of(whole, [HEAD])
    ratio, worth = NOTHING, (head - base) / step_s
    if change.judged.fits(whole):
        logs = change.judged.logs(whole)
        ratio = as_ratio(shift_interval(logs[HEAD], logs[CONTROLS]))
        worth = (1 / ratio.estimate - 1) * base / step_s
    return replace(change, base=base, head=head, ratio=ratio, worth=worth if change.timed else math.nan, n=len(whole))


def median_of(arms: pd.DataFrame, names: list[str]) -> float:
    """The median over the trials of some arms."""
    return float(np.nanmedian(arms[names].to_numpy()))


def whole_rounds(cells: dict[Key, pd.DataFrame], key: Key) -> pd.DataFrame:
    """The rounds in which every arm of a cell has a value with a log; none if the cell lacks a round of its step."""
    step = complete(cells.get(step_key(key[0])))
    arms = complete(cells.get(key))
    return arms if len(arms) == len(step) and JUDGED[key[4]].fits(arms) else arms.iloc[:0]


def complete(arms: pd.DataFrame | None) -> pd.DataFrame:
    """A cell's rounds that have every arm."""
    return (pd.DataFrame() if arms is None else arms).reindex(columns=[*CONTROLS, HEAD]).dropna()
