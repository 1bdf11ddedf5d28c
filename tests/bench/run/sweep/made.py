"""Sweeps on a cluster that is made up: what several tests share."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.core.header import Header, encoded
from bench.core.sweep.record import Asked, Job, Sweep
from bench.core.sweep.status import Cause
from bench.run.sweep.cluster import RefusedError, Seen, Stage
from bench.run.sweep.files import Ended, ended_of
from bench.run.sweep.files import encoded as ended_text
from bench.run.sweep.folder import SweepFolder
from bench.run.sweep.job import JOB
from bench.run.sweep.stop import Stop
from bench.run.sweep.supervisor import Supervisor

LATER = datetime(2026, 1, 1, tzinfo=UTC)


def asked(**more: Any) -> Asked:  # noqa: ANN401
    """What a call asks for: three jobs, if it says nothing else."""
    usual: dict[str, Any] = {"cluster": "slurm", "jobs": 3}
    return Asked(**usual | more)


def sweep_of(wanted: Asked) -> Sweep:
    jobs = [Job(name=f"job-{number}") for number in range(1, wanted.jobs + 1)]
    return Sweep(sweep_id="s", command="nin-bench sweep", started_at=LATER, asked=wanted, jobs=jobs)


class FakeCluster:
    """A cluster with some nodes, each free or busy, on which a run ends at once as it is told.

    `ends` are the ends of runs by name: an exit code with a complete run, or a cause, or `hang`.
    """

    poll_s = 0.0
    tied = False

    def __init__(self, header: Header, nodes: Iterable[str] = ("n1", "n2"), **ends: Any) -> None:  # noqa: ANN401
        self.header, self.all_nodes, self.ends = header, frozenset(nodes), ends
        self.submitted: list[tuple[str, frozenset[str]]] = []
        self.stands: dict[str, Seen] = {}
        self.ended: list[str] = []
        self.most_at_once = 0

    def submit(self, name: str, command: list[str], lock: Path, avoid: frozenset[str]) -> str:  # noqa: ARG002
        folder, number, run = command[len(JOB) : len(JOB) + 3]
        self.submitted.append((run, avoid))
        how = self.ends.get(run.replace("-", "_"), 0)
        if how == "refuse":
            words = "sbatch: error: no such partition"
            raise RefusedError(words)
        job_id = str(len(self.submitted))
        free = sorted(self.all_nodes - avoid)
        node = free[len(self.submitted) % len(free)]
        if how == "hang":
            self.stands[job_id] = Seen(stage=Stage.RUNNING, node=node)
        elif isinstance(how, Cause):
            self.stands[job_id] = Seen(stage=Stage.OVER, node=node, cause=None if how is Cause.KILLED else how)
        else:
            self.stands[job_id] = Seen(stage=Stage.OVER, node=node)
            self.write(Path(folder), int(number), run, int(str(how)), node)
        self.most_at_once = max(self.most_at_once, sum(s.stage is Stage.RUNNING for s in self.stands.values()))
        return job_id

    def write(self, folder: Path, number: int, run: str, code: int, node: str) -> None:
        ended_of(folder, number).write_text(ended_text(Ended(exit_code=code, node=node)))
        (folder / f"attempt-{number}.log").write_text(f"begins\nbench: {run} ends with {code}\n")
        if code == 0:
            (folder / run).mkdir()
            (folder / run / "run.json").write_text(encoded(self.header))

    def look(self, job_ids: Iterable[str]) -> Mapping[str, Seen]:
        return {job_id: self.stands[job_id] for job_id in job_ids if job_id in self.stands}

    def nodes(self) -> frozenset[str]:
        return self.all_nodes

    def end(self, job_ids: Iterable[str]) -> None:
        self.ended += job_ids

    def log(self, job_id: str) -> Path:
        return Path("/nowhere") / job_id


def supervised(
    folder: Path, wanted: Asked, cluster: FakeCluster, say: Callable[[str], None] = lambda _: None
) -> Supervisor:
    """A supervisor of a new sweep in a folder."""
    sweep = sweep_of(wanted)
    opened = SweepFolder.create(folder / "s", sweep)
    return Supervisor(
        sweep=sweep, folder=opened, cluster=cluster, reports=folder / "reports", say=say, stop=Stop()
    )  # fmt: skip


def stored(folder: Path) -> Any:  # noqa: ANN401
    """sweep.json as plain JSON."""
    return json.loads((folder / "s" / "sweep.json").read_text())
