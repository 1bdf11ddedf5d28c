"""Slurm as a cluster: submitit writes the batch scripts, and Slurm's own commands say how jobs stand.

squeue needs no accounting, and some clusters have none. A job that Slurm has forgotten is over.
"""

import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from bench.core.sweep.record import NODE_NAME, Asked
from bench.core.sweep.status import Cause
from bench.core.text import MOST_OF_A_REASON, shortened
from bench.core.variants import UsageError
from bench.run.sweep.cluster import RefusedError, Seen, Stage, unheard
from bench.run.sweep.commands import said_by

DEFAULT_MIN = 120
"""The time limit of a job if the call gives none: submitit's would be 5 minutes."""
OURS = {"no-requeue": True, "signal": "B:URG@1"}
"""Slurm itself must not start a job again, since its run is there already. And submitit's signal before the time limit
would end the job as failed: URG, which a shell ignores, goes to the batch shell alone in its place."""
LISTS = ("setup", "teardown", "srun_args")
"""Parameters of submitit that are lists of words or lines."""
QUEUED = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
RUNNING = {"RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}
CAUSES = {
    "TIMEOUT": Cause.TIMEOUT, "DEADLINE": Cause.TIMEOUT, "NODE_FAIL": Cause.NODE_FAILED,
    "BOOT_FAIL": Cause.NODE_FAILED, "PREEMPTED": Cause.PREEMPTED, "CANCELLED": Cause.CANCELLED,
    "REVOKED": Cause.CANCELLED, "OUT_OF_MEMORY": Cause.OUT_OF_MEMORY,
}  # fmt: skip
"""What Slurm says of jobs that it ended (squeue(1), job state codes)."""
END_S = 120.0
"""How long Slurm may take to end jobs: first it asks, and kills after KillWait, 30 s by default."""


class Slurm:
    """The cluster of this login node."""

    poll_s = 5.0
    tied = False

    def __init__(self, asked: Asked, folder: Path) -> None:
        """Raises UsageError if Slurm's commands are missing, or if a parameter is unknown."""
        if lacking := [name for name in ("sbatch", "squeue", "sinfo", "srun") if shutil.which(name) is None]:
            msg = f"--cluster slurm needs Slurm's commands, and {', '.join(lacking)} can't be found here"
            raise UsageError(msg)
        self._asked, self._folder = asked, folder
        self._own = own_parameters(asked.slurm)
        self._executor("check", frozenset())

    def _executor(self, name: str, avoid: frozenset[str]) -> submitit.AutoExecutor:
        """An executor for a job that avoids some nodes. Raises UsageError for a parameter that submitit refuses."""
        asked = self._asked
        executor = submitit.AutoExecutor(folder=self._folder, cluster="slurm")
        wanted = {
            "name": name, "nodes": 1, "tasks_per_node": 1, "timeout_min": asked.timeout_min or DEFAULT_MIN,
            "gpus_per_node": asked.gpus, "slurm_partition": asked.partition, "slurm_constraint": asked.constraint,
            "slurm_exclusive": True, "slurm_exclude": ",".join(sorted(avoid)) or None,
            "slurm_use_srun": False,  # srun may bind a single task to a part of the node
            "slurm_additional_parameters": OURS,
        } | self._own  # fmt: skip
        try:
            executor.update_parameters(**wanted)
        except (NameError, ValueError, TypeError, AssertionError) as error:
            msg = f"--slurm: {shortened(str(error), MOST_OF_A_REASON)}"
            raise UsageError(msg) from error
        return executor

    def submit(self, name: str, command: list[str], lock: Path, avoid: frozenset[str]) -> str:  # noqa: ARG002 - not tied
        """Queues a job. Returns Slurm's number. Raises RefusedError if sbatch fails."""
        others = self._listed() - frozenset(self._asked.nodes) if self._asked.nodes else frozenset()
        executor = self._executor(name, avoid | others)
        try:
            with unheard():
                return executor.submit(subprocess.call, command).job_id
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise RefusedError(shortened(str(error).strip(), MOST_OF_A_REASON)) from error

    def look(self, job_ids: Iterable[str]) -> Mapping[str, Seen]:
        """How jobs stand; nothing if the controller does not answer."""
        said = said_by("squeue", "--noheader", "--states=all", "--me", "--format=%i|%T|%N")
        if said is None:
            return {}
        rows = (line.split("|") for line in said.splitlines())
        known = {row[0]: seen(row[1], row[2]) for row in rows if len(row) == 3}
        return {job_id: known.get(job_id, Seen(stage=Stage.OVER)) for job_id in job_ids}

    def nodes(self) -> frozenset[str]:
        """The nodes that answer and take jobs, of the partition and of those that the call allows."""
        up = self._listed("--responding", "--states=idle,alloc,mix,comp")
        return up & frozenset(self._asked.nodes) if self._asked.nodes else up

    def _listed(self, *options: str) -> frozenset[str]:
        """The nodes of the partition that sinfo lists."""
        partition = [f"--partition={self._asked.partition}"] if self._asked.partition else []
        said = said_by("sinfo", "--noheader", "--Node", "--format=%N", *partition, *options)
        return frozenset((said or "").split())

    def end(self, job_ids: Iterable[str]) -> None:
        """Cancels jobs, and waits until Slurm has ended them."""
        left = list(job_ids)
        if left:
            said_by("scancel", *left)
        until = time.monotonic() + END_S
        while left and time.monotonic() < until:
            stands = self.look(left)
            left = [job_id for job_id in left if job_id not in stands or stands[job_id].stage is not Stage.OVER]
            time.sleep(0.5 if left else 0)

    def log(self, job_id: str) -> Path:
        """What Slurm, submitit and the job wrote to the standard error."""
        return self._folder / f"{job_id}_0_log.err"


def seen(state: str, nodes: str) -> Seen:
    """A job by squeue's words for its state and its nodes."""
    node = nodes if NODE_NAME.fullmatch(nodes) else None
    if state in QUEUED:
        return Seen(stage=Stage.QUEUED)
    if state in RUNNING:
        return Seen(stage=Stage.RUNNING, node=node)
    return Seen(stage=Stage.OVER, node=node, cause=CAUSES.get(state))


def own_parameters(texts: Iterable[str]) -> dict[str, object]:
    """The parameters of `--slurm KEY=VALUE` as submitit takes them. Raises UsageError for another text."""
    own: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            msg = f"--slurm reads KEY=VALUE, such as account=physics, got {text!r}"
            raise UsageError(msg)
        name = f"slurm_{key}"
        if key in LISTS:
            own[name] = [*own.get(name, []), value]  # type: ignore[misc]
        else:
            own[name] = int(value) if value.isdecimal() else {"True": True, "False": False}.get(value, value)
    return own
