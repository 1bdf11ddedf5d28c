"""What a sweep needs of a cluster: it takes jobs, says how they stand, and ends them."""

import contextlib
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from bench.core.sweep.status import Cause


class Stage(Enum):
    """Where the cluster has a job."""

    QUEUED = auto()
    RUNNING = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job as the cluster shows it."""

    stage: Stage
    node: str | None = None
    cause: Cause | None = None
    """Why the cluster ended it, if it did."""


class RefusedError(Exception):
    """The cluster did not take a job; its words."""


class Cluster(Protocol):
    """Slurm, or the local machine."""

    poll_s: float
    """How often a sweep should look."""
    tied: bool
    """Whether its jobs end with the sweep."""

    def submit(self, name: str, command: list[str], lock: Path, avoid: frozenset[str]) -> str:
        """Takes a job that avoids these nodes. Returns its id. Raises RefusedError."""

    def look(self, job_ids: Iterable[str]) -> Mapping[str, Seen]:
        """How jobs stand; without those of which nothing is known at the moment."""

    def nodes(self) -> frozenset[str]:
        """The nodes that could take a job; empty if that is not known."""

    def end(self, job_ids: Iterable[str]) -> None:
        """Ends jobs, and returns when nothing of them runs any more."""

    def log(self, job_id: str) -> Path:
        """What the job wrote before its run began, or the cluster about it."""


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Has what is started here ignore the terminal's Ctrl-C: the sweep hears it, and ends its jobs in order."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
