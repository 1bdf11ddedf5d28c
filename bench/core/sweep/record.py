"""sweep.json as typed records.

What it holds is data: an id that Slurm gets is a number, a node is a plain name, and the names of folders follow from
those of jobs. What could run as code, such as a task or lines for a shell, is never taken from it.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from bench.core.facts import PositiveCount, Text, Word
from bench.core.header import Instant, converted, read_json, storable_json
from bench.core.records import RecordError, found_words
from bench.core.sweep.status import ENDED, Cause, Status
from bench.core.text import digest

SWEEP_FILE = "sweep.json"
SCHEMA_VERSION = 1

Cluster = Literal["slurm", "local"]
JobName = Annotated[str, Meta(pattern=r"\Ajob-[0-9]{1,4}\Z")]
JobId = Annotated[str, Meta(pattern=r"\A[0-9]{1,12}\Z")]
NodeName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z")]
NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")


class Asked(Struct, frozen=True, kw_only=True):
    """What a call asks for: two calls that ask for the same have the same `digest`."""

    cluster: Cluster
    jobs: PositiveCount
    spread: bool = False
    """Whether each job is to have a node of its own, as far as there are as many."""
    attempts: PositiveCount = 3
    """How often a job is tried at most, in one call."""
    workers: PositiveCount = 1
    """How many jobs run at once on the local machine."""
    partition: Word | None = None
    constraint: Word | None = None
    nodes: list[NodeName] = []
    """The only nodes that may be used; empty allows any."""
    timeout_min: PositiveCount | None = None
    gpus: PositiveCount | None = None
    slurm: list[Text] = []
    """KEY=VALUE of more parameters of submitit."""
    options: list[Text] = []
    """The options of `bench run`."""

    @property
    def digest(self) -> str:
        """A hash of everything that is asked, but for how hard it is tried."""
        alike = replace(self, workers=1, attempts=1)
        return digest(msgspec.json.encode(storable_json(msgspec.to_builtins(alike))).decode())


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of a job: a run in a folder of its own."""

    number: PositiveCount
    job_id: JobId | None
    """Slurm's number, or the local process's; None if the cluster refused the job."""
    node: NodeName | None = None
    """Where it runs or ran; None if that is not known."""
    status: Status = Status.PENDING
    cause: Cause | None = None
    exit_code: Annotated[int, Meta(ge=-255, le=255)] | None = None
    """That of `bench run`; None if it left none."""
    last_line: Text = ""
    """Of its output."""
    submitted_at: Instant
    ended_at: Instant | None = None


class Job(Struct, frozen=True, kw_only=True):
    """A run that is wanted, with every attempt at it."""

    name: JobName
    attempts: list[Attempt] = []

    @property
    def status(self) -> Status:
        """How the last attempt stands; pending before the first."""
        return self.attempts[-1].status if self.attempts else Status.PENDING

    @property
    def last(self) -> Attempt | None:
        """The last attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def under_way(self) -> bool:
        """Whether an attempt waits or runs."""
        return bool(self.attempts) and self.attempts[-1].status not in ENDED

    def folder(self, sweep: Path) -> Path:
        """The folder of the job's runs."""
        return sweep / self.name

    def run_of(self, attempt: Attempt) -> str:
        """The name of an attempt's run."""
        return f"{self.name}-attempt-{attempt.number}"


class Sweep(Struct, frozen=True, kw_only=True):
    """sweep.json. A sweep's name is its folder's name: `sweep_id` stands in the file for a reader alone."""

    schema_version: int = SCHEMA_VERSION
    sweep_id: Word
    command: Text
    by_nox: bool | None = None
    """Whether nox began it."""
    started_at: Instant
    asked: Asked
    jobs: list[Job]

    @property
    def complete(self) -> bool:
        """Whether every job has a complete run."""
        return all(job.status is Status.OK for job in self.jobs)

    @property
    def unfinished(self) -> bool:
        """Whether the same call again has something to do."""
        return any(job.status not in (Status.OK, Status.FAILED) for job in self.jobs)

    def with_job(self, job: Job) -> "Sweep":
        """The same sweep with one job as it stands now."""
        return replace(self, jobs=[job if job.name == other.name else other for other in self.jobs])


def read_sweep(folder: Path) -> Sweep:
    """The record of sweep.json, with the folder's name as its `sweep_id`.

    Raises RecordError if the file is missing, damaged, or of another schema version.
    """
    path = folder / SWEEP_FILE
    raw = read_json(path, f"{folder}: no sweep (it has no {SWEEP_FILE})")
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        msg = f"{path}: schema version {found_words(version)}, this bench reads {SCHEMA_VERSION}"
        raise RecordError(msg)
    sweep = converted(raw, Sweep, path)
    names = [job.name for job in sweep.jobs]
    if len(set(names)) < len(names) or len(names) != sweep.asked.jobs:
        msg = f"{path}: jobs: found {len(names)} with {len(set(names))} names, expected {sweep.asked.jobs} of each"
        raise RecordError(msg)
    return replace(sweep, sweep_id=folder.resolve().name)


def encoded(sweep: Sweep) -> str:
    """The text of sweep.json; what UTF-8 can't hold is escaped."""
    whole = storable_json(msgspec.to_builtins(sweep))
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"
