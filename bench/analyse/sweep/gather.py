"""The complete runs of a sweep, each with its job and its node."""

from dataclasses import dataclass
from pathlib import Path

from bench.analyse.load import RunData, load
from bench.core.records import RecordError
from bench.core.sweep.record import Attempt, Job, Sweep
from bench.core.sweep.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRun:
    """A complete run."""

    job: Job
    attempt: Attempt
    data: RunData

    @property
    def name(self) -> str:
        """The run's name, which is also that of its page."""
        return self.job.run_of(self.attempt)

    @property
    def node(self) -> str:
        """The node that it ran on; its job's name if that is not known, so that it is a block of its own."""
        return self.attempt.node or self.job.name

    @property
    def has_rounds(self) -> bool:
        """Whether any variant has a complete round."""
        return bool(self.data.steps)

    @property
    def budget_ended(self) -> bool:
        """Whether its budget ended it."""
        return self.data.run.state.ended_because == "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A sweep with what its jobs measured."""

    sweep: Sweep
    folder: Path
    runs: list[SweepRun]
    unreadable: dict[str, str]
    """Why the complete run of a job can't be used, by the job's name."""

    @property
    def without_rounds(self) -> list[SweepRun]:
        """The runs that have no complete round of any variant: they measured nothing that could be combined."""
        return [run for run in self.runs if not run.has_rounds]

    @property
    def blocks_are_nodes(self) -> bool:
        """Whether blocks are nodes; if all runs were on one node, each run is a block."""
        return len({run.node for run in self.runs if run.has_rounds}) > 1

    def block_of(self, run: SweepRun) -> str:
        """The name of a run's block."""
        return run.node if self.blocks_are_nodes else run.job.name


def gather(sweep: Sweep, folder: Path) -> Gathered:
    """The complete runs of a sweep. One that is damaged is left out, with the reason."""
    runs, unreadable = [], {}
    for job in sweep.jobs:
        attempt = job.last
        if attempt is None or attempt.status is not Status.OK:
            continue
        try:
            data = load(job.folder(folder) / job.run_of(attempt))
        except RecordError as error:
            unreadable[job.name] = str(error)
            continue
        if data.run.kind == "run":
            runs.append(SweepRun(job=job, attempt=attempt, data=data))
    return Gathered(sweep=sweep, folder=folder, runs=runs, unreadable=unreadable)
