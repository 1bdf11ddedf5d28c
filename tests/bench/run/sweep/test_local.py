"""Sweeps through submitit's local executor, with real processes and a run that is a copy: nothing is timed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.core.header import read_run
from bench.core.sweep.record import Sweep, read_sweep
from bench.run.sweep.files import Ended, read_ended
from tests.bench.run.sweep.made import asked

ROOT = Path(__file__).parents[4]
TAKE = Path(__file__).with_name("take.py")
BASE = "cpu-default-nchw-eager-b32"
LONGEST_S = 60


@pytest.fixture
def source(make_run: Callable[..., Path]) -> Path:
    """The run that every job copies."""
    return make_run({(BASE, "A"): [1.0, 1.1, 1.2], (BASE, "A'"): [1.0, 1.2, 1.1]}, name="source")


Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(source: Path, tmp_path: Path) -> Iterator[Begin]:
    """Begin a sweep, or go on with it, in a process of its own."""
    begun = []

    def called(jobs: int, workers: int, runs: dict[str, str] | None = None, **more: int) -> "subprocess.Popen[str]":
        variables = os.environ | {
            "PYTHONPATH": str(ROOT), "FAKE_SOURCE": str(source), "FAKE_RUNS": json.dumps(runs or {}),
        }  # fmt: skip
        words = [sys.executable, str(TAKE), str(tmp_path), json.dumps({"jobs": jobs, "workers": workers} | more)]
        begun.append(subprocess.Popen(words, cwd=tmp_path, env=variables, text=True, stdout=subprocess.PIPE))
        return begun[-1]

    yield called
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def of(tmp_path: Path) -> Sweep:
    return read_sweep(tmp_path / "s")


def running(tmp_path: Path) -> list[str]:
    """The processes of this test's sweep but itself: pid and words."""
    words = ["ps", "-ww", "-eo", "pid,args"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if str(tmp_path / "s") in line and "take.py" not in line]


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_six_jobs_on_two_workers_of_which_one_dies_twice_are_all_complete(begin: Begin, tmp_path: Path) -> None:
    dying = {"job-2-attempt-1": "kill", "job-2-attempt-2": "kill"}
    said, _ = begin(6, 2, dying).communicate(timeout=LONGEST_S)
    sweep = of(tmp_path)

    assert sweep.complete, said
    assert [len(job.attempts) for job in sweep.jobs] == [1, 3, 1, 1, 1, 1]
    assert [(a.status, a.cause, a.exit_code) for a in sweep.jobs[1].attempts] == [
        ("lost", "killed", -9), ("lost", "killed", -9), ("ok", None, 0),
    ]  # fmt: skip
    # What the dead runs left is there still, and is no complete run.
    assert read_run(tmp_path / "s" / "job-2" / "job-2-attempt-1").state.status == "running"
    most, now = 0, 0
    for line in said.splitlines():
        now += ("submitted as" in line) - any(word in line for word in ("complete on", " lost on"))
        most = max(most, now)
    assert most == 2
    assert running(tmp_path) == []


def test_a_job_that_is_killed_as_a_whole_leaves_nothing_and_is_tried_again(begin: Begin, tmp_path: Path) -> None:
    process = begin(1, 1, {"job-1-attempt-1": "hang"})
    until((tmp_path / "s" / "job-1" / "job-1-attempt-1" / "run.json").is_file)
    # submitit's process has the job's words only in a pickle, so this is the job alone.
    [pid] = [int(line.split()[0]) for line in running(tmp_path) if "fake_job.py" in line]
    os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=LONGEST_S)
    [job] = of(tmp_path).jobs

    assert [(a.status, a.cause, a.exit_code) for a in job.attempts] == [("lost", "killed", None), ("ok", None, 0)]
    assert job.attempts[0].last_line == "job-1-attempt-1 begins"
    assert running(tmp_path) == []


def test_ctrl_c_ends_every_job_and_the_same_call_goes_on(begin: Begin, tmp_path: Path) -> None:
    process = begin(3, 2, {"job-1-attempt-1": "hang", "job-2-attempt-1": "hang"})
    runs = [tmp_path / "s" / f"job-{n}" / f"job-{n}-attempt-1" / "run.json" for n in (1, 2)]
    until(lambda: all(run.is_file() for run in runs))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONGEST_S)

    assert process.returncode == 130
    assert running(tmp_path) == []
    assert [[a.cause for a in job.attempts] for job in of(tmp_path).jobs] == [["interrupted"], ["interrupted"], []]
    begin(3, 2).communicate(timeout=LONGEST_S)
    assert of(tmp_path).complete
    assert [len(job.attempts) for job in of(tmp_path).jobs] == [2, 2, 1]


def test_local_jobs_end_with_a_sweep_that_is_killed(begin: Begin, tmp_path: Path) -> None:
    process = begin(1, 1, {"job-1-attempt-1": "hang"})
    until((tmp_path / "s" / "job-1" / "job-1-attempt-1" / "run.json").is_file)
    process.kill()
    process.wait()
    until(lambda: running(tmp_path) == [])
    begin(1, 1).communicate(timeout=LONGEST_S)
    [job] = of(tmp_path).jobs

    assert [(a.status, a.cause) for a in job.attempts] == [("lost", "killed"), ("ok", None)]


def test_the_last_word_of_a_job_is_data(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"exit_code": 0}', '{"exit_code": 999, "node": "n1"}', '{"exit_code": 0, "node": "../x"}'):
        (tmp_path / "attempt-1.json").write_text(text)
        assert read_ended(tmp_path, 1) is None
    (tmp_path / "attempt-1.json").write_text('{"exit_code": 3, "node": "n1"}')

    assert read_ended(tmp_path, 1) == Ended(exit_code=3, node="n1")
    assert asked().digest == asked().digest
