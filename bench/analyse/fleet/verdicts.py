"""Which machines of a fleet are outliers: a verdict for each machine of a kind, over all its variants."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import numpy as np

from bench.analyse.fleet.gather import FleetRun, Runs
from bench.analyse.fleet.groups import Group, Member, groups
from bench.analyse.fleet.outliers import critical, distances, p_values
from bench.analyse.fleet.tails import Tails
from bench.analyse.history.gather import LeftOut, Setting
from bench.analyse.stats import Interval, as_ratio
from bench.analyse.verdicts import FASTER, SLOWER, delta_of
from bench.core.exits import CHANGED

ERROR = 0.05
"""The chance at most that any machine is marked of a kind whose machines are alike."""


class Why(StrEnum):
    """Why a machine is marked or not."""

    MARKED = "marked"
    ALIKE = "alike"
    """Its distance may be chance."""
    SMALL = "small"
    """It may differ by no more than delta."""
    TOO_FEW = "too few machines"
    EQUAL = "equal times"
    """Most machines of the group have the same time to the last digit: copies of one run, so there is no scatter."""


ORDER = (Why.MARKED, Why.SMALL, Why.ALIKE, Why.EQUAL, Why.TOO_FEW)
"""Which of a machine's variants says most of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A machine in one group."""

    group: Group
    member: Member
    ratio: Interval
    """How many times as fast it is as the group's median machine."""
    z: float
    """How many deviations of the group it takes longer than the median; NaN if too few machines are there."""
    p: float
    """The chance that any machine of its kind lies as far off in any variant, if all are alike."""
    p_normal: float
    p_heavy: float
    """The same for each kind of tails; `p` is one of the two."""
    why: Why

    @property
    def verdict(self) -> str:
        """SLOWER or FASTER if it is marked, else empty."""
        if self.why is not Why.MARKED:
            return ""
        return SLOWER if self.ratio.estimate < 1 else FASTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine among those of its kind."""

    name: str
    kind: Setting
    every: tuple[Judged, ...]
    """One a variant."""

    @property
    def clearest(self) -> Judged:
        """The variant that gives its verdict: the clearest of those in which it is marked, else the clearest of all."""

        def order(one: Judged) -> tuple[int, float, float]:
            p, z = (math.inf if math.isnan(value) else value for value in (one.p, -abs(one.z)))
            return ORDER.index(one.why), p, z

        return min(self.every, key=order)

    @property
    def is_outlier(self) -> bool:
        """Whether it is marked in any variant."""
        return any(one.why is Why.MARKED for one in self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Runs of many machines, their groups, and a verdict for each machine of a kind."""

    runs: list[FleetRun]
    left_out: list[LeftOut]
    alone: int
    """How many runs count as a machine of their own."""
    groups: list[Group]
    machines: list[Machine]
    """Outliers first, the clearest of them first, then the others."""
    error: float
    delta: float | None
    tails: Tails

    @property
    def outliers(self) -> list[Machine]:
        """The machines that are marked."""
        return [machine for machine in self.machines if machine.is_outlier]

    @property
    def tested(self) -> list[Group]:
        """The groups in which a machine can be marked."""
        return [group for group in self.groups if group.judged]

    @property
    def unjudged(self) -> dict[Setting, Why]:
        """The kinds of which no machine can be marked in any variant, and why: TOO_FEW or EQUAL."""
        judged = {group.setting for group in self.tested}
        enough = {group.setting for group in self.groups if group.enough}
        kinds = dict.fromkeys(group.setting for group in self.groups)
        return {kind: Why.EQUAL if kind in enough else Why.TOO_FEW for kind in kinds if kind not in judged}

    def delta_of(self, device: str) -> float:
        """The difference that matters on a device."""
        return delta_of(device, self.delta)

    def slowest_unmarked(self, group: Group) -> float:
        """How many times as fast as the median the slowest machine is that would not be marked; NaN if none can be."""
        if not group.judged:
            return math.nan
        family = family_of(self.groups, group.setting)
        chance = math.exp(-critical(len(group.members), self.error / family, self.tails) * group.scatter)
        return min(chance, 1 / (1 + self.delta_of(group.device)))


def fleet(found: Runs, *, error: float = ERROR, delta: float | None = None, tails: Tails = Tails.NORMAL) -> Fleet:
    """The verdicts of a fleet's runs."""
    every = groups(found.runs)
    machines = [
        machine
        for setting, of_kind in groupby(every, key=lambda group: group.setting)
        for machine in machines_of(setting, list(of_kind), error, delta, tails)
    ]
    return Fleet(
        runs=found.runs,
        left_out=found.left_out,
        alone=found.alone,
        groups=every,
        machines=sorted(machines, key=lambda machine: order_of(machine.clearest)),
        error=error,
        delta=delta,
        tails=tails,
    )


def order_of(one: Judged) -> tuple[int, float]:
    """Marked ones first, then undecided ones, then the others; among them those that differ most."""
    return ORDER.index(one.why), -abs(math.log(one.ratio.estimate))


def family_of(every: Iterable[Group], setting: Setting) -> int:
    """How many variants of a kind share its error: those in which a machine can be marked; at least 1."""
    return max(1, sum(group.setting == setting and group.judged for group in every))


def machines_of(
    setting: Setting, of_kind: Sequence[Group], error: float, delta: float | None, tails: Tails
) -> list[Machine]:
    """The machines of a kind. Its variants share the error equally (Bonferroni), so they may depend on each other."""
    family = family_of(of_kind, setting)
    every: dict[str, list[Judged]] = {}
    for group in of_kind:
        for one in judged(group, family, error, delta_of(group.device, delta), tails):
            every.setdefault(one.member.machine, []).append(one)
    return [Machine(name=name, kind=setting, every=tuple(ones)) for name, ones in every.items()]


def judged(group: Group, family: int, error: float, delta: float, tails: Tails) -> list[Judged]:
    """The machines of a group, which is one of a family that shares an error."""
    n, enough = len(group.members), group.enough
    z = distances(group.logs) if enough else np.full(n, math.nan)
    normal, heavy = (
        np.minimum(1, family * p_values(z, of)) if enough else np.full(n, math.nan)
        for of in (Tails.NORMAL, Tails.HEAVY)
    )
    p = heavy if tails is Tails.HEAVY else normal
    return [
        Judged(
            group=group,
            member=member,
            ratio=ratio,
            z=float(z[place]),
            p=float(p[place]),
            p_normal=float(normal[place]),
            p_heavy=float(heavy[place]),
            why=why_of(ratio, float(p[place]), error, delta, enough=enough),
        )
        for place, member in enumerate(group.members)
        for ratio in (ratio_of(member, group),)
    ]


def why_of(ratio: Interval, p: float, error: float, delta: float, *, enough: bool) -> Why:
    """Why a machine is marked or not: as FASTER and SLOWER of two variants, it needs its whole interval beyond delta.

    Without an interval, as of a run of few rounds, the estimate has to lie there.
    """
    if not enough:
        return Why.TOO_FEW
    if math.isnan(p):
        return Why.EQUAL
    if p > error:
        return Why.ALIKE
    lo, hi = (ratio.lo, ratio.hi) if ratio.known else (ratio.estimate, ratio.estimate)
    return Why.MARKED if hi < 1 / (1 + delta) or lo > 1 + delta else Why.SMALL


def ratio_of(member: Member, group: Group) -> Interval:
    """How many times as fast a machine is as the median of the machines that are there, with its own interval.

    The median counts as known: its interval over a few machines would reach to the very machine that is judged.
    """
    own, centre = member.logs, group.centre
    return as_ratio(Interval(estimate=own.estimate - centre, lo=own.lo - centre, hi=own.hi - centre))


def exit_code(of: Fleet, *, fail_on_outlier: bool) -> int:
    """1 if that was asked and there is an outlier, else 0."""
    return CHANGED if fail_on_outlier and of.outliers else 0
