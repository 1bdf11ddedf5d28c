"""The changes of a history: each with its size, its word, and why it has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import pandas as pd

from bench.analyse.history import sizes
from bench.analyse.history.changepoints import Mark, least_values, marks
from bench.analyse.history.gather import LeftOut, StoredRun
from bench.analyse.history.order import Order
from bench.analyse.history.series import Point, Series
from bench.analyse.stats import Interval, Values, as_ratio
from bench.analyse.verdicts import FASTER, SLOWER, UNDECIDED, delta_of, verdict
from bench.core.exits import CHANGED

ERROR = 0.05
"""The chance at most that a history in which nothing changes has any mark."""


class Why(StrEnum):
    """Why a change is shown, and not called FASTER or SLOWER."""

    CALLED = ""
    SMALL = "small"
    """It may be no larger than delta."""
    UNSTEADY = "unsteady"
    """The values of its series drift or resemble their neighbours, so the error rate does not hold."""
    GRADUAL = "gradual"
    """A line fits better than a step."""
    ENVIRONMENT = "environment"
    """Facts of the environment differ on both sides."""
    SAME_COMMIT = "same commit"
    """Both sides measured one commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a series."""

    series: Series
    mark: Mark
    ratio: Interval
    """How many times as fast the runs after it are as those before it, up to the next change on either side."""
    p: float
    """The mark's p times the number of series that were looked at."""
    verdict: str
    why: Why
    facts: tuple[str, ...] = ()
    """The facts of the environment that differ on both sides."""

    @property
    def before(self) -> Point:
        """The last point before the change."""
        return self.series.points[self.mark.at - 1]

    @property
    def after(self) -> Point:
        """The first point after the change."""
        return self.series.points[self.mark.at]

    @property
    def earliest(self) -> Point:
        """The first point that may be the first after the change."""
        return self.series.points[self.mark.earliest]

    @property
    def latest(self) -> Point:
        """The last point that may be the first after the change."""
        return self.series.points[self.mark.latest]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Runs in order, their series, and what changed."""

    runs: list[StoredRun]
    order: Order
    left_out: list[LeftOut]
    series: list[Series]
    changes: list[Change]
    """Of each series, in its order."""
    error: float
    delta: float | None
    """The change that matters, if the call gives one."""

    def delta_of(self, device: str) -> float:
        """The change that matters on a device."""
        return delta_of(device, self.delta)

    @property
    def tested(self) -> list[Series]:
        """The series that are long enough for a mark."""
        return tested(self.series, self.error)

    @property
    def slower_now(self) -> list[Change]:
        """The newest changes of the series that the last run is in, if they are SLOWER."""
        newest = {(c.series.variant_id, c.series.setting): c for c in self.changes}
        last = len(self.runs) - 1
        return [c for c in newest.values() if c.verdict == SLOWER and c.series.points[-1].place == last]


def tested(every: Sequence[Series], error: float) -> list[Series]:
    """The series in which a mark is possible at an error."""
    return [one for one in every if len(one.points) >= least_values(error)]


def changes(every: Sequence[Series], error: float, delta: float | None) -> list[Change]:
    """The changes of all series; if nothing changes in any, there is one with a chance of `error` at most."""
    looked_at = tested(every, error)
    return [
        change for one in looked_at for change in changes_of(one, error, len(looked_at), delta_of(one.device, delta))
    ]


def changes_of(one: Series, error: float, family: int, delta: float) -> list[Change]:
    """The changes of a series of a family, each series of which has the same part of the error."""
    logs = one.logs
    found = marks(logs, error / family)
    parts = [logs[start:end] for start, end in pairwise([0, *(mark.at for mark in found), len(logs)])]
    unsteady = bool(found) and sizes.is_unsteady(parts)
    return [
        judged(one, mark, parts, place, p=min(1.0, mark.p * family), delta=delta, unsteady=unsteady)
        for place, mark in enumerate(found)
    ]


def judged(
    one: Series, mark: Mark, parts: Sequence[Values], place: int, *, p: float, delta: float, unsteady: bool
) -> Change:
    """A mark with its size and word, from the values between the marks; it lies after part `place`."""
    ratio = as_ratio(sizes.shift(parts[place], parts[place + 1]))
    word, facts = verdict(ratio, len(one.points), delta), differing(one, mark)
    why = Why.CALLED
    if word not in (FASTER, SLOWER):
        why = Why.SMALL
    elif unsteady:
        why = Why.UNSTEADY
    elif sizes.is_gradual(parts, place):
        why = Why.GRADUAL
    elif facts:
        why = Why.ENVIRONMENT
    elif of_one_commit(one, mark):
        why = Why.SAME_COMMIT
    word = word if why is Why.CALLED else UNDECIDED
    return Change(series=one, mark=mark, ratio=ratio, p=p, verdict=word, why=why, facts=facts)


def differing(one: Series, mark: Mark) -> tuple[str, ...]:
    """The facts of the environment that differ between the run before the change may begin and that after it."""
    before, after = one.points[mark.earliest - 1].run.facts, one.points[mark.latest].run.facts
    return tuple(name for name in (before | after) if before.get(name) != after.get(name))


def of_one_commit(one: Series, mark: Mark) -> bool:
    """Whether all runs in which the change may have come measured one commit, without changes of their own."""
    commits = {point.run.commit for point in one.points[mark.earliest - 1 : mark.latest + 1]}
    commit = next(iter(commits))
    return len(commits) == 1 and commit != "" and not commit.endswith(("+", "?"))


def exit_code(history: History, *, fail_on_slower: bool) -> int:
    """1 if that was asked and the newest change of a variant is a slowdown, else 0."""
    return CHANGED if fail_on_slower and history.slower_now else 0


def points_frame(history: History) -> pd.DataFrame:
    """A row a point of each series: its speed as it counts and as it was measured, with the run and its commit."""
    rows = [
        {
            "variant_id": one.variant_id,
            "series": number,
            "run": point.run.name,
            "place": point.place,
            "started_at": point.run.header.started_at.isoformat(),
            "commit": point.run.commit,
            "subject": point.run.subject,
            "unit": one.unit,
            "items_per_s": point.speed.estimate,
            "items_per_s_lo": point.speed.lo,
            "items_per_s_hi": point.speed.hi,
            "measured_items_per_s": math.exp(-point.logs.estimate),
            "rounds": point.rounds,
        }
        for number, one in enumerate(history.series)
        for point in one.points
    ]
    return pd.DataFrame(rows)


CHANGE_COLUMNS = ("variant_id", "series", "run_before", "run", "commit_before", "commit", "earliest_run", "latest_run",
                  "ratio", "ratio_lo", "ratio_hi", "p", "verdict", "why", "facts")  # fmt: skip


def changes_frame(history: History) -> pd.DataFrame:
    """A row a change."""
    numbers = {id(one): number for number, one in enumerate(history.series)}
    rows = [
        {
            "variant_id": change.series.variant_id,
            "series": numbers[id(change.series)],
            "run_before": change.before.run.name,
            "run": change.after.run.name,
            "commit_before": change.before.run.commit,
            "commit": change.after.run.commit,
            "earliest_run": change.earliest.run.name,
            "latest_run": change.latest.run.name,
            "ratio": change.ratio.estimate,
            "ratio_lo": change.ratio.lo,
            "ratio_hi": change.ratio.hi,
            "p": change.p,
            "verdict": change.verdict,
            "why": str(change.why),
            "facts": ", ".join(change.facts),
        }
        for change in history.changes
    ]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
