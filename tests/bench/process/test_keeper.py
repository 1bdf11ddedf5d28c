"""However a trial or its harness ends, nothing that the trial started still runs."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.exchange.messages import Describe
from bench.process import child

STRAYS = str(Path(__file__).with_name("strays.py"))
NAMES = {"in_session", "daemon", "stubborn", "stubborn_child", "loader", "in_group", "worker"}
SWEPT_S = 5
"""What a sweep gets after the harness was killed."""

ASK = """
import os, sys
from bench.core.exchange.messages import Describe
from bench.process import child
mark, *worker = sys.argv[1:]
child.ask(Describe(), dict(os.environ) | {"NIN_STRAYS": mark}, 100, worker)
"""
SERVE = """
import os, sys
from pathlib import Path
from bench.cli import serve
mark, *command = sys.argv[1:]
os.environ["NIN_STRAYS"] = mark
serve.command = lambda folder, port: command
serve.serve(Path(), 0)
"""
ALONE = """
import os, sys
from bench.process import kept
mark, *command = sys.argv[1:]
kept.GRACE_S = 0.2
kept.call(command, dict(os.environ) | {"NIN_STRAYS": mark})
"""


def alive(mark: str) -> list[int]:
    """The processes that hold the mark among their variables; what has ended and was not reaped yet has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"NIN_STRAYS={mark}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@pytest.fixture
def mark() -> Iterator[str]:
    made = uuid.uuid4().hex
    yield made
    for pid in alive(made):  # where a test has failed
        os.kill(pid, signal.SIGKILL)


def started(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("reply", "ok", ""),
        ("exit", "error", "the worker ended with exit code 3"),
        ("kill", "error", "the worker was killed by SIGKILL, perhaps for want of memory"),
        ("hang", "timeout", "no reply within 3 s"),
    ],
)
def test_nothing_is_left_behind_a_trial(how: str, status: str, reason: str, mark: str, tmp_path: Path) -> None:
    worker = (sys.executable, STRAYS, how, str(tmp_path))
    reply = child.ask(Describe(), dict(os.environ) | {"NIN_STRAYS": mark}, 3 if how == "hang" else 60, worker)

    assert (reply.status, reply.reason) == (status, reason)
    assert started(tmp_path) == NAMES
    assert alive(mark) == []


class Harness:
    """A harness in a process of its own whose worker hangs, its strays about it."""

    def __init__(self, code: str, mark: str, folder: Path) -> None:
        command = [sys.executable, "-c", code, mark, sys.executable, STRAYS, "hang", str(folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 30
        while not (folder / "worker").exists():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        assert len(set(alive(mark)) - {self.process.pid}) >= len(NAMES)


@pytest.mark.parametrize("code", [ASK, SERVE, ALONE], ids=["a trial", "tensorboard", "layers alone"])
def test_nothing_is_left_behind_a_harness_that_is_interrupted(code: str, mark: str, tmp_path: Path) -> None:
    harness = Harness(code, mark, tmp_path)
    harness.process.send_signal(signal.SIGINT)
    harness.process.wait(30)

    assert alive(mark) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("code", [ASK, SERVE, ALONE], ids=["a trial", "tensorboard", "layers alone"])
def test_nothing_is_left_behind_a_harness_that_is_killed(
    code: str, number: signal.Signals, mark: str, tmp_path: Path
) -> None:
    harness = Harness(code, mark, tmp_path)
    harness.process.send_signal(number)
    harness.process.wait(30)

    until = time.monotonic() + SWEPT_S
    while left := alive(mark):
        assert time.monotonic() < until, left
        time.sleep(0.01)


@pytest.mark.parametrize("code", [ASK, SERVE], ids=["a trial", "tensorboard"])
def test_nothing_is_left_behind_a_harness_whose_whole_group_is_killed(code: str, mark: str, tmp_path: Path) -> None:
    harness = Harness(code, mark, tmp_path)
    os.killpg(harness.process.pid, signal.SIGKILL)
    harness.process.wait(30)

    until = time.monotonic() + SWEPT_S
    while left := alive(mark):
        assert time.monotonic() < until, left
        time.sleep(0.01)
