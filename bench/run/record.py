"""A run in progress: its record, which is saved only here, and the trials that were taken."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import Probe, from_text
from bench.core.header import Header, Learned, Plan, State, check_known
from bench.core.progress import RunProgress
from bench.core.reading import read_rows, read_variants
from bench.core.records import SAMPLES, TRIALS, ArmName, Row
from bench.core.variants import Variant, runnable_variants
from bench.plan import schedule
from bench.plan.matrix import Entry
from bench.process import child
from bench.run.folder import RunFolder

REFERENCES = "references"
"""The folder in the scratch folder for what the numerics gate computes once a run."""


class Trial(Struct, frozen=True, kw_only=True):
    """A trial that was taken: the fields of its row in trials.csv that decide which trials follow."""

    round: int
    order: int
    arm: ArmName
    stage: str
    variant_id: str
    probes: tuple[Probe, ...]
    status: Status
    cause: Cause | None
    duration_s: float
    steal_s: float | None = None
    pressure_s: float | None = None
    tree: str = ""

    @property
    def ok(self) -> bool:
        """Whether it measured what was asked."""
        return self.status is Status.OK

    @property
    def times_steps(self) -> bool:
        """Whether it was asked for steps."""
        return schedule.times_steps(self.probes)

    @classmethod
    def of(cls, row: Row) -> "Trial":
        """The trial of a row of trials.csv. A row without a duration gets 0 seconds."""
        known = {"probes": from_text(str(row["probes"])), "cause": row["cause"] or None}
        return msgspec.convert({**row, **known, "duration_s": row["duration_s"] or 0.0}, cls)


@dataclass(slots=True)
class Run:
    """A run in progress: its folder, its record, and what was measured so far."""

    folder: RunFolder
    header: Header
    """run.json."""
    entries: list[Entry]
    """The entries that can run here."""
    progress: RunProgress
    cache: Path
    """The folder for compiled code, which belongs to this run alone."""
    trees: dict[str, Path] = field(default_factory=dict)
    """The folders of the code trees `base` and `head`; empty if one tree is measured."""
    worker: Sequence[str] = child.WORKER
    libraries: Mapping[str, str] = field(default_factory=dict)
    """The libraries that variants load first, as this machine has them now."""
    trials: list[Trial] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    next_trial: int = 1

    @property
    def next_round(self) -> int:
        """The number of a new round."""
        return 1 + max((trial.round for trial in self.trials), default=0)

    @property
    def plan(self) -> Plan:
        """What is to be measured."""
        return self.header.plan

    @property
    def learned(self) -> Learned:
        """What the trials so far showed that later ones need."""
        return self.header.learned

    @property
    def state(self) -> State:
        """How the run stands."""
        return self.header.state

    def save(self, part: Learned | State) -> None:
        """Replaces what was learned, or the state, and writes run.json."""
        name = "learned" if isinstance(part, Learned) else "state"
        self.header = replace(self.header, **{name: part})
        self.folder.write_run(self.header)

    @property
    def references(self) -> Path:
        """The folder for what the numerics gate computes once a run, with a folder for each code tree."""
        return self.cache.absolute() / REFERENCES

    def left_s(self) -> float:
        """Seconds of the budget that are left; infinite without a budget."""
        budget_s = self.plan.budget_s
        return float("inf") if budget_s is None else budget_s - (time.monotonic() - self.started)

    def full_limit_s(self) -> float:
        """Seconds after which a trial of the pilot is ended, whatever the budget is."""
        return schedule.time_limit_s(None, self.header.environment.cpu_quota)

    def pilot_limit_s(self) -> float:
        """Seconds that a trial of the pilot may take: no more than the budget has left."""
        return min(self.full_limit_s(), max(0.0, self.left_s()))

    def room_bytes(self) -> dict[str, int]:
        """The memory of each kind of device whose trials take turns; for several CUDA devices, the smallest."""
        known = self.header.environment
        least = min((device.memory_bytes for device in known.cuda_devices), default=0)
        rooms = {"cpu": known.memory_available_bytes or 0, "cuda": least}
        return {kind: rooms[kind] for kind in self.plan.lockstep}

    def trial_s(self, variant: Variant) -> float:
        """Seconds that a variant's trial of steps should take, from its pilot but without its compiling."""
        return self.learned.trial_s.get(variant.id, schedule.UNSEEN_TRIAL_S)


def now() -> datetime:
    """The time to the second, as in the files."""
    return datetime.now(UTC).replace(microsecond=0)


def resume(folder: Path, header: Header, progress: RunProgress, cache: Path) -> Run:
    """The run in a folder, ready to be resumed with this record. Raises RecordError if it can't be."""
    variants = read_variants(folder)
    check_known(header, folder, {str(row["variant_id"]) for row in variants})
    opened, warnings = RunFolder.reopen(folder)
    for warning in warnings:
        progress.say(f"warning: {warning}")
    entries = [Entry(variant=v, pilot_only=v.id in header.plan.pilot_only) for v in runnable_variants(variants)]
    rows = read_rows(folder, TRIALS)[0]
    # Samples without a trial's row were being written when the run was killed: their id is not used again.
    ids = (str(row["trial_id"]) for row in [*rows, *read_rows(folder, SAMPLES)[0]])
    next_trial = 1 + max((int(trial_id[1:]) for trial_id in ids), default=0)
    shutil.rmtree(cache / REFERENCES, ignore_errors=True)  # the user's code may be another by now
    return Run(opened, header, entries, progress, cache, trials=[Trial.of(row) for row in rows], next_trial=next_trial)
