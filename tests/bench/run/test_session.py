"""A run, from its first trial to its last, through failures, interrupts and kills."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.core import records
from bench.core.exchange.cause import Cause
from bench.core.header import read_run
from bench.core.progress import RunProgress
from bench.core.reading import read_rows
from bench.core.records import SAMPLES
from bench.process import child
from bench.run import session
from bench.run.record import resume
from tests.bench.run.runs import BASE, BF16, KEPT, Start, execute, trees, trials


def test_a_run_takes_the_pilot_and_then_every_arm_in_every_round(start: Start) -> None:
    folder = execute(start(BASE, KEPT, BF16, pilot_only=[BF16]))
    found = Counter((t["round"], t["variant_id"], t["arm"], t["probes"]) for t in trials(folder))

    assert {
        (0, BASE, "A", "steps+layers+kernels+work+loader+roofs+numerics"),
        (0, KEPT, "V", "steps+layers+kernels+numerics"),
        (0, BF16, "V", "steps+layers+kernels+work+numerics"),
        *[(0, v, a, "memory") for v, a in ((BASE, "A"), (KEPT, "V"))],
        *[(r, BASE, "A", "steps+layers+canary") for r in (1, 2)],
        *[(r, v, a, "steps+layers") for r in (1, 2) for v, a in ((BASE, "A'"), (KEPT, "V"))],
    } == set(found)
    assert {1} == set(found.values())
    assert read_run(folder).state.status == "complete"
    assert read_run(folder).state.ended_because == "rounds"


def test_the_first_table_comes_once_between_pilot_and_rounds(start: Start) -> None:
    seen: list[int] = []
    session.execute(start(BASE, KEPT), after_pilot=lambda folder: seen.append(len(trials(folder))))

    assert seen == [4]


def test_progress_tells_what_runs_and_the_time_left(start: Start, shown: StringIO) -> None:
    execute(start(BASE, KEPT))

    assert f"1/6 pilot {BASE} steps+layers+kernels+work+loader+roofs+numerics, about " in shown.getvalue()
    assert "/3 round 2 " in shown.getvalue()
    assert shown.getvalue().count(" left\n") == 10


@pytest.mark.parametrize(
    ("how", "cause", "reason"),
    [
        ("exit", Cause.CRASHED, "exit code 3: a library said goodbye"),
        ("kill", Cause.KILLED, "killed by SIGKILL"),
        ("nothing", Cause.NO_REPLY, "the worker gave no reply"),
        ("garbage", Cause.BAD_REPLY, "no reply that can be read"),
        ("list", Cause.BAD_REPLY, "no reply that can be read"),
        ("wrong-rows", Cause.BAD_REPLY, "unknown field `colour` - at `$.samples[0]`"),
        ("wrong-state", Cause.BAD_REPLY, "unknown field `colour` - at `$.state`"),
        ("no-cause", Cause.BAD_REPLY, "Invalid enum value 'bad luck' - at `$.cause`"),
        ("no-steps", Cause.BAD_REPLY, "not what was asked: it has no steps"),
        ("no-counts", Cause.BAD_REPLY, "not what was asked: it has no steps"),
        ("nan", Cause.BAD_REPLY, "no reply that can be read"),
        ("oom", Cause.OUT_OF_MEMORY, "no memory"),
    ],
)
def test_a_worker_that_fails_is_a_row_and_the_run_goes_on(
    how: str, cause: Cause, reason: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: how}))
    folder = execute(start(BASE, KEPT))
    kept = [t for t in trials(folder) if t["variant_id"] == KEPT]

    assert [(cause, cause.status, "pilot")] == [(t["cause"], t["status"], t["stage"]) for t in kept]
    assert reason in kept[0]["reason"]
    assert 6 == len([t for t in trials(folder) if t["variant_id"] == BASE and t["status"] == "ok"])
    assert not [s for s in read_rows(folder, SAMPLES)[0] if s["trial_id"] == kept[0]["trial_id"]]
    assert read_run(folder).state.status == "complete"


def test_a_worker_that_hangs_is_a_timeout_and_the_run_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "hang"}))
    monkeypatch.setattr("bench.plan.schedule.PILOT_LIMIT_S", 3.0)
    folder = execute(start(BASE, KEPT))

    assert [t["status"] for t in trials(folder) if t["variant_id"] == KEPT] == ["timeout"]
    assert read_run(folder).state.status == "complete"


def test_where_a_tree_lies_stands_in_no_record(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "path"}))
    folder = execute(start(BASE, trees=trees(tmp_path)))
    reason = trials(folder)[1]["reason"]

    assert reason == "in head/nin/model.py"
    assert str(tmp_path) not in (folder / "run.json").read_text() + (folder / "trials.csv").read_text()


def test_an_interrupt_keeps_what_is_measured_and_resume_takes_the_rest(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(BASE, KEPT)
    real, calls = child.ask, Counter[str]()

    def interrupted(*arguments: object, **more: object) -> object:
        calls["asked"] += 1
        if calls["asked"] == 6:
            raise KeyboardInterrupt
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "ask", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        execute(run)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)

    assert read_run(run.folder.folder).state.status == "interrupted"
    assert 5 == len(trials(run.folder.folder))
    check_resumed(run.folder.folder)


def check_resumed(folder: Path) -> None:
    """Resume the run and see that nothing is lost, doubled, or counted from a cut round."""
    before = (folder / "samples.csv").read_bytes(), trials(folder)
    resumed = resume(folder, read_run(folder), RunProgress(Console(file=StringIO())), folder / "cache")
    resumed.worker = (sys.executable, str(Path(__file__).parents[1] / "fake_worker.py"))
    execute(resumed)
    after = trials(folder)
    run = read_run(folder)
    pilots = [(t["variant_id"], t["probes"]) for t in after if t["stage"] == "pilot"]
    rounds = Counter(t["round"] for t in after if t["stage"] == "measure")

    whole_lines = before[0][: before[0].rfind(b"\n") + 1]
    assert (folder / "samples.csv").read_bytes().startswith(whole_lines)
    assert before[1] == after[: len(before[1])]
    assert len(pilots) == len(set(pilots)) == 4
    assert len({t["trial_id"] for t in after}) == len(after)
    assert sorted(rounds.values())[-2:] == [3, 3]
    assert run.state.status == "complete"


def test_a_round_that_was_cut_is_repeated_under_a_new_number(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    test_an_interrupt_keeps_what_is_measured_and_resume_takes_the_rest(start, monkeypatch)
    folder = Path(read_run_folder(start))

    assert {0: 4, 1: 1, 2: 3, 3: 3} == Counter(t["round"] for t in trials(folder))


def read_run_folder(start: Start) -> Path:
    """Where the fixture lays its run: making it twice is refused, and the refusal names it."""
    with pytest.raises(records.RecordError) as refused:
        start(BASE)
    return Path(str(refused.value).partition(": there already")[0])


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from io import StringIO
from pathlib import Path
from rich.console import Console
from bench.core.progress import RunProgress
from bench.core.variants import parse_id
from bench.plan.matrix import Entry
from bench.run import session
from bench.run.folder import RunFolder, variant_rows
from bench.run.record import Run
from conftest import FAKE, header
entries = [Entry(variant=parse_id(i)) for i in {ids!r}]
rows = variant_rows(entries, dict.fromkeys({ids!r}, ""))
opened = RunFolder.create(Path({folder!r}), header(entries), rows)
run = Run(opened, header(entries), entries, RunProgress(Console(file=StringIO())), Path({cache!r}), worker=FAKE)
session.execute(run, after_pilot=lambda folder: None)
"""


def test_a_parent_that_is_killed_loses_at_most_the_trial_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "killed"
    code = KILLED.format(
        tests=str(Path(__file__).parents[1]), ids=[BASE, KEPT], folder=str(folder), cache=str(tmp_path / "cache")
    )
    slow = os.environ | {"FAKE_WORKER": json.dumps({BASE: "slow", KEPT: "slow"})}
    parent = subprocess.Popen([sys.executable, "-c", code], env=slow)
    deadline = time.monotonic() + 60
    while not (folder / "trials.csv").exists() or len(trials(folder)) < 6:
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    # A child that it was just starting holds the folder's lock until it runs its own program.
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.close(lock)
    # As if it had been killed between the samples and their trial's row, and in the middle of a line.
    with (folder / "samples.csv").open("a") as file:
        file.write("t00009,steps,step,,,,wall,s,1,0,123.0\nt00009,steps,st")

    assert read_run(folder).state.status == "running"
    assert len(read_run(folder).state.arms) == 3  # so that a report can tell which rounds are complete
    check_resumed(folder)
    ids = {t["trial_id"] for t in trials(folder)}
    assert "t00009" not in ids
    assert 123.0 in [s["value"] for s in read_rows(folder, SAMPLES)[0] if s["trial_id"] not in ids]
