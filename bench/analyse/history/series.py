"""The series of a history: one variant on one machine and version of torch, a point a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from bench.analyse.history.gather import Setting, StoredRun
from bench.analyse.stats import Interval, Values


class Drift(Enum):
    """What was done about a machine that is faster on some days."""

    CANARY = "the canary's seconds were taken out"
    BASE = "both trees were measured in the same rounds"
    LACKING = "a run has no canary"
    LEFT_IN = "the call leaves it in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A variant in a run."""

    place: int
    """The run's place in the history."""
    run: StoredRun
    logs: Interval
    """The log of seconds per item as it was measured, with its interval within the run."""
    less: float
    """What of it is the machine's, by its canary; 0 if that is not known."""
    rounds: int

    @property
    def value(self) -> float:
        """The log of seconds per item that counts."""
        return self.logs.estimate - self.less

    @property
    def speed(self) -> Interval:
        """Items a second that count, or times the base's speed."""
        lo, hi = self.logs.lo - self.less, self.logs.hi - self.less
        return Interval(estimate=math.exp(-self.value), lo=float(np.exp(-hi)), hi=float(np.exp(-lo)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The points of a variant that can be compared, in the order of the history."""

    variant_id: str
    name: str
    device: str
    unit: str
    setting: Setting
    drift: Drift
    points: tuple[Point, ...]

    @property
    def logs(self) -> Values:
        """The logs of seconds per item that count, shape (n,)."""
        return np.array([point.value for point in self.points])

    @property
    def measured(self) -> Values:
        """The logs of seconds per item as they were measured, shape (n,)."""
        return np.array([point.logs.estimate for point in self.points])


def series(runs: Sequence[StoredRun], *, canary: bool) -> list[Series]:
    """A series for each variant and setting, in the order in which the newest run that has it names it.

    With `canary` the canary's seconds are taken out of a series of which every run has them: the values are the
    seconds per item on a machine as fast as the history's median one.
    """
    groups: dict[tuple[str, Setting], list[int]] = {}
    for place in reversed(range(len(runs))):
        for variant_id, one in runs[place].measured.items():
            groups.setdefault((variant_id, one.setting), []).insert(0, place)
    return [_series(runs, variant_id, places, canary=canary) for (variant_id, _), places in groups.items()]


def _series(runs: Sequence[StoredRun], variant_id: str, places: Sequence[int], *, canary: bool) -> Series:
    """The series of a variant over the runs at some places."""
    measured = [runs[place].measured[variant_id] for place in places]
    canaries = np.array([one.canary for one in measured])
    newest, drift = measured[-1], Drift.LEFT_IN
    if runs[places[-1]].header.trees:
        drift = Drift.BASE
    elif canary:
        drift = Drift.CANARY if np.isfinite(canaries).all() else Drift.LACKING
    less = canaries - np.median(canaries) if drift is Drift.CANARY else np.zeros(len(places))
    return Series(
        variant_id=variant_id,
        name=newest.name,
        device=newest.device,
        unit=newest.unit,
        setting=newest.setting,
        drift=drift,
        points=tuple(
            Point(place=place, run=runs[place], logs=one.logs, less=float(of_run), rounds=one.rounds)
            for place, one, of_run in zip(places, measured, less, strict=True)
        ),
    )
