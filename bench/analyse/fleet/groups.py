"""The groups of a fleet: the machines of one kind that measured one variant, a value a machine."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.analyse.fleet.gather import FleetRun
from bench.analyse.fleet.outliers import LEAST_MACHINES, scale
from bench.analyse.history.gather import Measured, Setting, StoredRun
from bench.analyse.stats import Interval, Values, median_interval

Runs = Sequence[tuple[StoredRun, Measured]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A machine in a group."""

    machine: str
    runs: int
    rounds: int
    logs: Interval
    """The log of seconds per item: the median of its runs."""
    driver: str
    """The version of NVIDIA's driver in its newest run, if the variant ran on a GPU; empty if it is unknown."""


@dataclass(frozen=True)
class Group:
    """Machines of one kind that measured one variant."""

    setting: Setting
    """The kind of machine: facts of machine and software, as a history tells series apart."""
    variant_id: str
    name: str
    device: str
    unit: str
    model: str
    """The GPU's name, or the processor's if the variant ran on the CPU."""
    members: tuple[Member, ...]

    @cached_property
    def logs(self) -> Values:
        """The logs of seconds per item, shape (n,)."""
        return np.array([member.logs.estimate for member in self.members])

    @cached_property
    def centre(self) -> float:
        """The log of seconds per item of the median machine."""
        return float(np.median(self.logs))

    @cached_property
    def scatter(self) -> float:
        """The robust deviation of a machine; NaN of one alone."""
        return float(scale(self.logs)) if len(self.members) > 1 else math.nan

    @property
    def enough(self) -> bool:
        """Whether it has enough machines for a mark."""
        return len(self.members) >= LEAST_MACHINES

    @property
    def judged(self) -> bool:
        """Whether a machine of it can be marked: there are enough, and they scatter, so most are no copies."""
        return self.enough and self.scatter > 0


def groups(runs: Iterable[FleetRun]) -> list[Group]:
    """A group for each kind of machine and variant: kinds with most machines first, then variants by name."""
    found: dict[tuple[Setting, str], dict[str, list[tuple[StoredRun, Measured]]]] = {}
    for run in sorted(runs, key=lambda run: run.stored.header.started_at):
        for variant_id, one in run.stored.measured.items():
            machines = found.setdefault((one.setting, variant_id), {})
            machines.setdefault(run.machine, []).append((run.stored, one))
    every = [group_of(setting, variant_id, machines) for (setting, variant_id), machines in found.items()]
    most = {setting: max(len(g.members) for g in every if g.setting == setting) for setting, _ in found}
    return sorted(every, key=lambda group: (-most[group.setting], group.setting, group.variant_id))


def group_of(setting: Setting, variant_id: str, machines: dict[str, list[tuple[StoredRun, Measured]]]) -> Group:
    """A group from the runs of each machine, the newest last."""
    newest, one = max((runs[-1] for runs in machines.values()), key=lambda pair: pair[0].header.started_at)
    return Group(
        setting=setting,
        variant_id=variant_id,
        name=one.name,
        device=one.device,
        unit=one.unit,
        model=model_of(newest, one.device),
        members=tuple(member_of(machine, runs) for machine, runs in sorted(machines.items())),
    )


def member_of(machine: str, runs: Runs) -> Member:
    """A machine from its runs, the newest last."""
    newest, one = runs[-1]
    return Member(
        machine=machine,
        runs=len(runs),
        rounds=sum(measured.rounds for _, measured in runs),
        logs=combined([measured.logs for _, measured in runs]),
        driver=newest.header.environment.driver or "" if one.device.startswith("cuda") else "",
    )


def combined(logs: Sequence[Interval]) -> Interval:
    """The median of some runs of a machine, with an interval.

    That of the median over runs if there are enough for one; else from the lowest end of the runs' own intervals to the
    highest, since runs of a machine may differ by more than the rounds within them show.
    """
    over_runs = median_interval([one.estimate for one in logs])
    if over_runs.known:
        return over_runs
    ends = np.array([(one.lo, one.hi) for one in logs])
    return Interval(estimate=over_runs.estimate, lo=float(ends[:, 0].min()), hi=float(ends[:, 1].max()))


def model_of(run: StoredRun, device: str) -> str:
    """The name of a device's hardware; empty if it is not known."""
    environment = run.header.environment
    if not device.startswith("cuda"):
        return environment.cpu or ""
    index = int(device.partition(":")[2] or 0)
    return environment.cuda_devices[index].name if index < len(environment.cuda_devices) else ""
