"""The local machine as a cluster, through submitit's local executor.

That executor starts every job at once, so the sweep hands it the next one only when a worker is free. A job runs for
as long as this process holds its lock: letting go of it ends the job, also if this process is killed.
"""

import fcntl
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import submitit

from bench.core.sweep.record import Asked
from bench.core.sweep.status import Cause
from bench.run.sweep.cluster import Seen, Stage, unheard
from bench.run.sweep.job import node

LONGEST_MIN = 60 * 24 * 365
"""submitit's own limit, which is 2 minutes by default: ours ends a job together with all that it started."""
END_S = 30.0
"""How long a job that was let go of may take to end."""


@dataclass(slots=True)
class Started:
    """A job of this process."""

    job: submitit.Job[int]
    lock: IO[bytes]
    limit_s: float
    """When it must end, on the monotonic clock."""
    late: bool = False


class Local:
    """The machine that this process is on."""

    poll_s = 1.0
    tied = True

    def __init__(self, asked: Asked, folder: Path) -> None:
        self._asked, self._folder = asked, folder
        self._started: dict[str, Started] = {}

    def submit(self, name: str, command: list[str], lock: Path, avoid: frozenset[str]) -> str:  # noqa: ARG002 - one node
        """Starts a job. Returns its id."""
        executor = submitit.AutoExecutor(folder=self._folder, cluster="local")
        executor.update_parameters(name=name, timeout_min=LONGEST_MIN, gpus_per_node=self._asked.gpus or 0)
        held = lock.open("wb")
        fcntl.flock(held, fcntl.LOCK_EX)
        minutes = self._asked.timeout_min
        with unheard():
            job = executor.submit(subprocess.call, command)
        limit_s = time.monotonic() + 60 * minutes if minutes else float("inf")
        self._started[job.job_id] = Started(job, held, limit_s)
        return job.job_id

    def look(self, job_ids: Iterable[str]) -> Mapping[str, Seen]:
        """How jobs stand. One of an earlier call is over: it ended with that."""
        return {job_id: self._seen(job_id) for job_id in job_ids}

    def _seen(self, job_id: str) -> Seen:
        started = self._started.get(job_id)
        if started is None:
            return Seen(stage=Stage.OVER)
        if started.job.done():
            started.lock.close()
            return Seen(stage=Stage.OVER, node=node(), cause=Cause.TIMEOUT if started.late else None)
        if time.monotonic() > started.limit_s:
            started.late = True
            started.lock.close()
        return Seen(stage=Stage.RUNNING, node=node())

    def nodes(self) -> frozenset[str]:
        """None to choose from."""
        return frozenset()

    def end(self, job_ids: Iterable[str]) -> None:
        """Lets go of jobs, and waits until they have ended all that they started."""
        started = [self._started[job_id] for job_id in job_ids if job_id in self._started]
        for one in started:
            one.lock.close()
        until = time.monotonic() + END_S
        while time.monotonic() < until and not all(one.job.done() for one in started):
            time.sleep(0.05)

    def log(self, job_id: str) -> Path:
        """What submitit and the job wrote to the standard error."""
        return self._folder / f"{job_id}_0_log.err"
