"""Of workers in lockstep one works at a time, the others stand still with all that they started; none outlives them."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Request
from bench.core.header import Inputs
from bench.process import lockstep
from bench.process.child import Question
from tests.bench.process import turning

TURNING = (sys.executable, str(Path(turning.__file__)))
SETTLES_S = 0.02
"""How long a stop may take to reach a process, on a machine that does other work."""
REQUEST = Request(variant={}, inputs=Inputs(folder=None, shape=None, classes=10), seed=0, probes=())


def question(folder: Path, how: str = "three", limit_s: float = 60) -> Question:
    variables = dict(os.environ) | {"NIN_STRAYS": str(folder)}
    return Question(request=REQUEST, variables=variables, limit_s=limit_s, command=(*TURNING, str(folder), how))


def ask(questions: list[Question], seed: int) -> list[lockstep.Answer]:
    return lockstep.ask(questions, random.Random(seed))  # noqa: S311 - no secret


def turns(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """When each worker's turns began and ended, by its pid."""
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.turns")}


def order(folder: Path, seed: int, count: int = 4) -> list[int]:
    """The workers in the order of all turns, by their question's number."""
    answers = ask([question(folder)] * count, seed)
    number = {answer.reply.reason: index for index, answer in enumerate(answers)}
    begins = [(began, name) for name, of_one in turns(folder).items() for began, _ in of_one]
    return [number[name] for _, name in sorted(begins) if name in number]


def test_one_works_at_a_time_and_the_others_stand_still(tmp_path: Path) -> None:
    answers = ask([question(tmp_path) for _ in range(3)], 1)
    whole = sorted(turn for of_one in turns(tmp_path).values() for turn in of_one)

    assert [answer.reply.ok for answer in answers] == [True] * 3
    assert len(whole) == 9
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(whole))
    for name, own in turns(tmp_path).items():
        others = [turn for turn in whole if list(turn) not in [list(t) for t in own]]
        for kind in ("thread", "child"):
            ticks = [float(line) for line in (tmp_path / f"{name}.{kind}").read_text().splitlines()]
            assert sum(began <= at <= ended for began, ended in own for at in ticks) > 5
            astray = [at for began, ended in others for at in ticks if began + SETTLES_S < at < ended]
            assert astray == []


def test_each_cycle_has_an_order_of_its_own_and_a_seed_gives_it_again(tmp_path: Path) -> None:
    for name in ("one", "again"):
        (tmp_path / name).mkdir()
    one, again = order(tmp_path / "one", seed=7), order(tmp_path / "again", seed=7)
    cycles = [tuple(one[at : at + 4]) for at in (0, 4, 8)]

    assert one == again
    assert all(sorted(cycle) == [0, 1, 2, 3] for cycle in cycles)
    assert len(set(cycles)) > 1


@pytest.mark.parametrize(
    ("how", "cause", "reason"),
    [
        ("dies", Cause.CRASHED, "exit code 3"),
        ("early", Cause.CRASHED, "exit code 3"),
        ("hangs", Cause.TIME_LIMIT, "no reply within 2 s"),
        ("late", Cause.TIME_LIMIT, "no reply within 2 s"),
    ],
)
def test_one_that_fails_leaves_the_others_their_turns(how: str, cause: Cause, reason: str, tmp_path: Path) -> None:
    questions = [question(tmp_path, "three", 2), question(tmp_path, how, 2), question(tmp_path, "three", 2)]
    answers = ask(questions, 3)

    assert [answer.reply.ok for answer in answers] == [True, False, True]
    assert answers[1].reply.cause is cause
    assert reason in answers[1].reply.reason
    assert [len(of_one) for of_one in turns(tmp_path).values()] == [3, 3]
    assert alive(tmp_path) == []


def test_time_that_others_take_does_not_count(tmp_path: Path) -> None:
    limit_s = 5.0
    answers = ask([question(tmp_path, limit_s=limit_s) for _ in range(2)], 1)

    assert all(3 * turning.TURN_S <= answer.worked_s < limit_s for answer in answers)


ASK = """
import random, sys
from pathlib import Path
from tests.bench.process.test_lockstep import question
from bench.process import lockstep
lockstep.ask([question(Path(sys.argv[1]), "hangs", 600) for _ in range(3)], random.Random(1))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_the_harness_ends_though_workers_are_stopped(
    number: signal.Signals, tmp_path: Path
) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", ASK, str(tmp_path)]
    harness = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while len(alive(tmp_path)) < 6 and time.monotonic() < until:  # three workers with a child each
        time.sleep(0.05)
    time.sleep(1)
    harness.send_signal(number)
    harness.wait()
    until = time.monotonic() + 5
    while alive(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)

    assert alive(tmp_path) == []


def alive(folder: Path) -> list[int]:
    """The processes that have the folder as their mark among their variables."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"NIN_STRAYS={folder}\0".encode() in path.read_bytes():
                pids.append(int(path.parent.name))
    return pids


def test_a_long_name_of_the_folder_for_temporary_files_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has at most 107 characters on Linux (unix(7))."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))

    assert [answer.reply.ok for answer in ask([question(tmp_path), question(tmp_path)], 1)] == [True, True]
