"""What is asked of Slurm, and what its answers mean; and, where a Slurm is, whether it is so."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.core.sweep.status import Cause
from bench.core.variants import UsageError
from bench.run.sweep import commands
from bench.run.sweep.choose import made
from bench.run.sweep.cluster import RefusedError, Seen, Stage
from bench.run.sweep.slurm import Slurm, own_parameters
from tests.bench.run.sweep.made import asked

NONE = frozenset[str]()
FAKE = """#!/bin/sh
echo "$(basename $0) $*" >> {calls}
case $(basename $0) in
sbatch) [ -e {folder}/refuse ] && {{ echo "sbatch: error: no such partition" >&2; exit 1; }}
    cp "$1" {folder}/script; echo "Submitted batch job 17" ;;
squeue) [ -e {folder}/silent ] && exit 1; cat {folder}/queue ;;
sinfo) case "$*" in *responding*) echo n1; echo n2 ;; *) echo n1; echo n2; echo n3; esac ;;
scontrol) echo n1; echo n2 ;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's commands, made up: what they print, and `calls`, how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "sinfo", "srun", "scancel", "scontrol"):
        (folder / name).write_text(FAKE.format(calls=folder / "calls", folder=folder))
        (folder / name).chmod(0o755)
    (folder / "queue").write_text("")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def script_of(fake: Path) -> str:
    return (fake / "script").read_text()


def test_a_job_is_one_process_on_one_exclusive_node(fake: Path, tmp_path: Path) -> None:
    wanted = asked(partition="gpu", constraint="a100", gpus=2, timeout_min=30, slurm=["account=physics", "qos=low"])
    job_id = made(wanted, tmp_path / "submitit").submit("s-job-1", ["true"], tmp_path / "lock", frozenset({"n2"}))
    lines = [line.removeprefix("#SBATCH --") for line in script_of(fake).splitlines() if line.startswith("#SBATCH")]

    assert job_id == "17"
    assert {"exclusive", "nodes=1", "ntasks-per-node=1", "no-requeue", "partition=gpu", "constraint=a100",
            "gpus-per-node=2", "time=30", "exclude=n2", "account=physics", "qos=low", "signal=B:URG@1",
            "job-name=s-job-1"} <= set(lines)  # fmt: skip
    assert "\nsrun" not in script_of(fake)
    assert re.search(rf"^{re.escape(sys.executable)} -u -m submitit.core._submit ", script_of(fake), re.MULTILINE)


def test_without_a_limit_a_job_has_two_hours(fake: Path, tmp_path: Path) -> None:
    made(asked(), tmp_path / "submitit").submit("s-job-1", ["true"], tmp_path / "lock", NONE)

    assert "#SBATCH --time=120\n" in script_of(fake)
    assert "--exclude" not in script_of(fake)


def test_only_the_nodes_that_are_allowed_may_be_used(fake: Path, tmp_path: Path) -> None:
    cluster = made(asked(nodes=["n2", "n3"]), tmp_path / "submitit")
    cluster.submit("s-job-1", ["true"], tmp_path / "lock", frozenset({"n3"}))

    assert "#SBATCH --exclude=n1,n3\n" in script_of(fake)
    # n3 does not answer.
    assert cluster.nodes() == {"n2"}


def test_a_refusal_has_sbatch_s_words(fake: Path, tmp_path: Path) -> None:
    (fake / "refuse").touch()

    with pytest.raises(RefusedError, match="no such partition"):
        made(asked(), tmp_path / "submitit").submit("s-job-1", ["true"], tmp_path / "lock", NONE)


@pytest.mark.parametrize(
    ("state", "stage", "cause"),
    [  # squeue(1), job state codes
        ("PENDING", Stage.QUEUED, None), ("CONFIGURING", Stage.QUEUED, None), ("RUNNING", Stage.RUNNING, None),
        ("COMPLETING", Stage.RUNNING, None), ("SUSPENDED", Stage.RUNNING, None), ("COMPLETED", Stage.OVER, None),
        ("FAILED", Stage.OVER, None), ("TIMEOUT", Stage.OVER, Cause.TIMEOUT),
        ("NODE_FAIL", Stage.OVER, Cause.NODE_FAILED), ("PREEMPTED", Stage.OVER, Cause.PREEMPTED),
        ("CANCELLED", Stage.OVER, Cause.CANCELLED), ("OUT_OF_MEMORY", Stage.OVER, Cause.OUT_OF_MEMORY),
    ],
)  # fmt: skip
def test_what_squeue_says_is_understood(
    state: str, stage: Stage, cause: Cause | None, fake: Path, tmp_path: Path
) -> None:
    (fake / "queue").write_text(f"16|RUNNING|n1\n17|{state}|n2\n")
    seen = made(asked(), tmp_path / "submitit").look(["17"])["17"]

    assert (seen.stage, seen.cause) == (stage, cause)
    assert seen.node == (None if stage is Stage.QUEUED else "n2")


def test_a_forgotten_job_is_over_and_a_silent_controller_says_nothing(fake: Path, tmp_path: Path) -> None:
    cluster = made(asked(), tmp_path / "submitit")

    assert cluster.look(["17"]) == {"17": Seen(stage=Stage.OVER)}
    (fake / "silent").touch()
    assert cluster.look(["17"]) == {}


def test_ended_jobs_are_cancelled(fake: Path, tmp_path: Path) -> None:
    cluster = made(asked(), tmp_path / "submitit")
    cluster.end(["17", "18"])
    cluster.end([])

    assert [line for line in (fake / "calls").read_text().splitlines() if "scancel" in line] == ["scancel 17 18"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["account"], "--slurm reads KEY=VALUE"),
        (["=x"], "--slurm reads"),
        (["colour=red"], "Unknown argument 'colour'"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_submitted(
    texts: list[str], told: str, fake: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        made(asked(slurm=texts), tmp_path / "submitit")
    assert not (fake / "script").exists()


def test_parameters_have_the_types_that_submitit_wants() -> None:
    texts = ["mem=0", "exclusive=False", "setup=module load a", "setup=module load b", "comment=a=b"]

    assert own_parameters(texts) == {
        "slurm_mem": 0, "slurm_exclusive": False, "slurm_setup": ["module load a", "module load b"],
        "slurm_comment": "a=b",
    }  # fmt: skip


def test_lists_of_nodes_are_expanded(fake: Path) -> None:
    assert commands.hosts("a,b-1") == ["a", "b-1"]
    assert commands.hosts("n[1-2]") == ["n1", "n2"]
    (fake / "scontrol").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UsageError, match="--nodelist"):
        commands.hosts("n[")


def test_without_slurm_the_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="sbatch, squeue, sinfo, srun can't be found"):
        made(asked(), tmp_path / "submitit")


def test_without_submitit_the_call_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)

    with pytest.raises(UsageError, match=r"pip install 'submitit>=1\.5\.4'"):
        made(asked(cluster="local"), tmp_path / "submitit")


def has_slurm() -> bool:
    """Whether a Slurm answers here that has a node."""
    if shutil.which("sinfo") is None:
        return False
    try:
        done = subprocess.run(["sinfo", "-h", "-N"], capture_output=True, timeout=5, check=False)  # noqa: S607
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


@pytest.mark.slow
@pytest.mark.skipif(not has_slurm(), reason="no Slurm answers here: its commands are tried with made-up ones alone")
def test_a_real_slurm_runs_a_job_and_cancels_one(tmp_path: Path) -> None:
    cluster = made(asked(timeout_min=1), tmp_path / "submitit")
    assert isinstance(cluster, Slurm)
    quick = cluster.submit("quick", ["true"], tmp_path / "lock", NONE)
    end = time.monotonic() + 60
    while cluster.look([quick])[quick].stage is not Stage.OVER and time.monotonic() < end:
        time.sleep(0.5)
    long = cluster.submit("long", ["sleep", "600"], tmp_path / "lock", NONE)
    cluster.end([long])

    assert cluster.look([quick])[quick].cause is None
    assert (cluster.look([long])[long].stage, cluster.look([long])[long].cause) == (Stage.OVER, Cause.CANCELLED)
    assert cluster.nodes()
