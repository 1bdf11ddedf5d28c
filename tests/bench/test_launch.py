"""A run, from its first trial to its last, through failures, interrupts and kills."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from bench.core import records
from bench.core.header import Flagged, encoded, read_run
from bench.core.progress import RunProgress
from bench.core.records import SAMPLES, TRIALS, read_rows
from bench.plan import schedule
from bench.process import child
from bench.run import launch
from bench.run.trial import Run

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"

Start = Callable[..., Run]


def execute(run: Run) -> Path:
    launch.execute(run, after_pilot=lambda _folder: None)
    return run.folder.folder


def trials(folder: Path) -> list[dict[str, Any]]:
    return read_rows(folder, TRIALS)[0]


def test_a_run_takes_the_pilot_and_then_every_arm_in_every_round(start: Start) -> None:
    folder = execute(start(BASE, KEPT, BF16, pilot_only=[BF16]))
    found = Counter((t["round"], t["variant_id"], t["arm"], t["probes"]) for t in trials(folder))

    assert {
        (0, BASE, "A", "steps+layers+kernels+loader+numerics"),
        *[(0, v, "V", "steps+layers+kernels+numerics") for v in (KEPT, BF16)],
        *[(0, v, a, "memory") for v, a in ((BASE, "A"), (KEPT, "V"))],
        *[(r, BASE, "A", "steps+layers+canary") for r in (1, 2)],
        *[(r, v, a, "steps+layers") for r in (1, 2) for v, a in ((BASE, "A'"), (KEPT, "V"))],
    } == set(found)
    assert {1} == set(found.values())
    assert read_run(folder).status == "complete"
    assert read_run(folder).ended_because == "rounds"


def test_the_first_table_comes_once_between_pilot_and_rounds(start: Start) -> None:
    seen: list[int] = []
    launch.execute(start(BASE, KEPT), after_pilot=lambda folder: seen.append(len(trials(folder))))

    assert seen == [4]


def test_progress_tells_what_runs_and_the_time_left(start: Start, shown: StringIO) -> None:
    execute(start(BASE, KEPT))

    assert f"1/6 pilot {BASE} steps+layers+kernels+loader+numerics, about " in shown.getvalue()
    assert "/3 round 2 " in shown.getvalue()
    assert shown.getvalue().count(" left\n") == 10


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("exit", "error", "exit code 3: a library said goodbye"),
        ("kill", "error", "killed by SIGKILL"),
        ("garbage", "error", "no reply that can be read"),
        ("list", "error", "no reply that can be read"),
        ("wrong-rows", "error", "not what was asked: "),
        ("wrong-state", "error", "not what was asked: trials.csv has no column colour"),
        ("nan", "error", "not what was asked: samples.csv: value: found nan, expected a number"),
        ("oom", "oom", "no memory"),
    ],
)
def test_a_worker_that_fails_is_a_row_and_the_run_goes_on(
    how: str, status: str, told: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: how}))
    folder = execute(start(BASE, KEPT))
    kept = [t for t in trials(folder) if t["variant_id"] == KEPT]

    assert [(status, "pilot")] == [(t["status"], t["stage"]) for t in kept]
    assert told in kept[0]["reason"]
    assert 6 == len([t for t in trials(folder) if t["variant_id"] == BASE and t["status"] == "ok"])
    assert not [s for s in read_rows(folder, SAMPLES)[0] if s["trial_id"] == kept[0]["trial_id"]]


def test_a_worker_that_hangs_is_a_timeout_and_the_run_goes_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "hang"}))
    monkeypatch.setattr("bench.plan.schedule.PILOT_LIMIT_S", 3.0)
    folder = execute(start(BASE, KEPT))

    assert [t["status"] for t in trials(folder) if t["variant_id"] == KEPT] == ["timeout"]
    assert read_run(folder).status == "complete"


CUDA, HALF = "cuda-default-nchw-eager-b128", "cuda-bf16-nchw-eager-b128"


def stretches(folder: Path) -> list[tuple[str, int]]:
    """The variants of sustained trials, and how many trials were taken before each."""
    return [(t["variant_id"], n) for n, t in enumerate(trials(folder)) if t["probes"] == "sustained"]


def test_the_fastest_on_cuda_trains_a_stretch_behind_the_rounds_and_its_baseline_in_the_pilot(start: Start) -> None:
    run = start(BASE, KEPT, CUDA, HALF)
    launch.execute(run, after_pilot=lambda _: None, fastest=lambda _: [KEPT, HALF, CUDA])
    folder = run.folder.folder

    assert [variant_id for variant_id, _ in stretches(folder)] == [CUDA, HALF]
    assert stretches(folder)[1][1] == len(trials(folder)) - 1
    assert read_run(folder).status == "complete"


@pytest.mark.parametrize(
    ("planned", "taken"), [({"budget_s": 30.0}, False), ({"budget_s": 60.0}, True), ({"verdicts": False}, False)]
)
def test_without_time_or_verdicts_there_is_no_stretch_behind_the_rounds(
    planned: dict[str, Any], taken: bool, start: Start
) -> None:
    """Of the budget 15 s are the report's: 10 s and the 6 s in which its process starts fit into 45 s, not into 15."""
    run = start(CUDA, HALF, **planned)
    launch.execute(run, after_pilot=lambda _: run.plan.trial_s.update({HALF: 6.0}), fastest=lambda _: [HALF])

    assert taken == (HALF in dict(stretches(run.folder.folder)))


def test_on_the_cpu_nobody_asks_for_the_fastest(start: Start) -> None:
    run = start(BASE, KEPT)
    launch.execute(run, after_pilot=lambda _: None, fastest=lambda _: pytest.fail("asked"))

    assert stretches(run.folder.folder) == []


LARGEST = "cpu-default-nchw-eager-bmax"


def test_the_largest_batch_is_found_and_running_out_of_memory_is_a_row(start: Start) -> None:
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000}))
    found = [(t["probes"], t["status"]) for t in trials(folder)]
    plan = read_run(folder).plan

    assert plan.largest == {LARGEST: 98}
    assert ("fit", "oom") in found
    assert found[-1] == ("steps+layers+kernels+loader+numerics", "ok")
    assert next(t["reason"] for t in trials(folder) if t["status"] == "oom").startswith("batch 1")
    assert [size for size, peak in plan.tried[LARGEST] if peak is not None and size > 98] == []


def test_a_limit_of_the_index_is_told_from_one_of_memory(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"": "index"}))
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000}))
    plan = read_run(folder).plan

    assert plan.largest[LARGEST] <= 60 < plan.beyond_index[LARGEST]
    assert plan.beyond_index[LARGEST] - plan.largest[LARGEST] <= 60 // 16
    assert {t["status"] for t in trials(folder) if t["probes"] == "fit"} == {"ok", "too_large"}


def test_where_no_batch_fits_there_are_no_steps(start: Start) -> None:
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 1}))

    assert {("fit", "oom")} == {(t["probes"], t["status"]) for t in trials(folder)}
    assert read_run(folder).plan.largest == {}


def test_a_search_for_the_largest_batch_goes_on_where_it_was_killed(start: Start, tmp_path: Path) -> None:
    run = start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000})
    folder = execute(run)
    header = read_run(folder)
    header.plan.largest, header.plan.tried = {}, {LARGEST: header.plan.tried[LARGEST][:2]}
    (folder / "run.json").write_text(encoded(header))
    again = launch.resume(folder, RunProgress(Console(file=StringIO())), tmp_path / "cache")
    again.worker = run.worker
    execute(again)

    assert read_run(folder).plan.largest == {LARGEST: 98}


def test_a_very_slow_variant_has_no_rounds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.plan.schedule.VERY_SLOW_S", 0.5)
    monkeypatch.setattr("bench.plan.schedule.VERY_SLOW_TIMES", 0.7)  # the fake worker takes 0.8 of a baseline's step
    folder = execute(start(BASE, KEPT))

    assert {(0, KEPT)} == {(t["round"], t["variant_id"]) for t in trials(folder) if t["variant_id"] == KEPT}
    assert read_run(folder).status == "complete"


def test_the_pilot_predicts_the_whole(start: Start, shown: StringIO) -> None:
    folder = execute(start(BASE, KEPT))

    assert "the whole run should take about " in shown.getvalue()
    assert (read_run(folder).plan.predicted_s or 0) >= 15  # of the report


def test_a_budget_ends_the_rounds_before_one_that_could_not_end_in_it(start: Start) -> None:
    run = start(BASE, KEPT, budget_s=1.0, rounds=50)
    run.cache.mkdir()
    folder = execute(run)

    assert not run.cache.exists()
    assert {0} == {t["round"] for t in trials(folder)}
    assert read_run(folder).ended_because == "budget"


def trees(tmp_path: Path, head: str = "head") -> dict[str, Path]:
    return {"base": tmp_path / "base", "head": tmp_path / head}


def test_two_trees_are_measured_in_every_round_the_base_twice(start: Start, tmp_path: Path) -> None:
    folder = execute(start(BASE, KEPT, trees=trees(tmp_path)))
    found = Counter((t["round"], t["variant_id"], t["arm"], t["tree"]) for t in trials(folder))
    arms = [("A", "base"), ("A'", "base"), ("V", "head")]

    assert (
        Counter(
            [(0, v, a, t) for v in (BASE, KEPT) for a, t in (arms[0], arms[2])]
            + [(r, v, a, t) for r in (1, 2) for v in (BASE, KEPT) for a, t in arms]
        )
        == found
    )


FLAGGED = [Flagged(variant_id=KEPT, scope="step", layer="", phase="", flag="SLOWER")]


def test_what_is_flagged_is_measured_in_twenty_fresh_rounds(start: Start, tmp_path: Path) -> None:
    run = start(BASE, KEPT, trees=trees(tmp_path, "slow"))
    launch.execute(run, after_pilot=lambda _: None, flag=lambda _: FLAGGED)
    confirm = [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]

    assert read_run(run.folder.folder).plan.flagged == FLAGGED
    assert {KEPT} == {t["variant_id"] for t in confirm}
    assert Counter({"A": 20, "A'": 20, "V": 20}) == Counter(t["arm"] for t in confirm)
    assert len({tuple(t["arm"] for t in confirm if t["round"] == r) for r in range(3, 23)}) > 3
    assert list(range(3, 23)) == list(dict.fromkeys(t["round"] for t in confirm))


def test_fresh_rounds_that_were_cut_go_on_and_nothing_is_flagged_anew(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(KEPT, trees=trees(tmp_path))
    real, calls = child.ask, Counter[str]()

    def interrupted(*arguments: object, **more: object) -> object:
        calls["asked"] += 1
        if calls["asked"] == 2 + 2 * 3 + 11:
            raise KeyboardInterrupt
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "ask", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        launch.execute(run, after_pilot=lambda _: None, flag=lambda _: FLAGGED)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)
    folder = run.folder.folder
    resumed = launch.resume(folder, RunProgress(Console(file=StringIO())), folder / "cache")
    resumed.worker, resumed.trees = run.worker, run.trees
    launch.execute(resumed, after_pilot=lambda _: None, flag=lambda _: pytest.fail("flagged anew"))
    rounds = Counter(t["round"] for t in trials(folder) if t["stage"] == "confirm")

    assert [3] * 20 == [n for n in rounds.values() if n == 3]
    assert 21 == len(rounds)  # and the one that was cut


def test_a_budget_keeps_room_for_the_fresh_rounds(
    start: Start, tmp_path: Path, shown: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.plan.schedule.REPORT_RESERVE_S", 0.0)
    # Trials are told to take 10 s each: a round 30 s, the fresh rounds 600 s, which leaves room for three.
    run = start(KEPT, trees=trees(tmp_path), rounds=12, budget_s=700.0)
    monkeypatch.setattr("bench.run.launch._trial_s", lambda *_: 10.0)
    launch.execute(run, after_pilot=lambda _: None, flag=lambda _: [])

    assert "3 of 12 rounds fit the budget" in shown.getvalue()


def test_fresh_rounds_that_dont_fit_are_not_begun_and_the_trees_are_kept(start: Start, tmp_path: Path) -> None:
    run = start(KEPT, trees=trees(tmp_path), rounds=1, budget_s=30.0)
    run.cache.mkdir()

    def spend_it(_folder: Path) -> list[Flagged]:
        run.plan.budget_s = 0.0
        return FLAGGED

    run.plan.trial_s[KEPT] = 0.1
    launch.execute(run, after_pilot=lambda _: None, flag=spend_it)

    assert not [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]
    assert read_run(run.folder.folder).ended_because == "budget"
    assert run.cache.is_dir()  # --resume can take them


def test_where_a_tree_lies_stands_in_no_record(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "path"}))
    folder = execute(start(BASE, trees=trees(tmp_path)))
    reason = trials(folder)[1]["reason"]

    assert reason == "in head/nin/model.py"
    assert str(tmp_path) not in (folder / "run.json").read_text() + (folder / "trials.csv").read_text()


def test_where_nothing_is_flagged_the_rounds_are_all(start: Start, tmp_path: Path) -> None:
    run = start(BASE, trees=trees(tmp_path))
    launch.execute(run, after_pilot=lambda _: None, flag=lambda _: [])

    assert not [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]
    assert read_run(run.folder.folder).plan.flagged == []


@pytest.mark.parametrize(
    ("tree", "how", "rounds"),
    [
        ("head", "oom", Counter({"ok": 10, "oom": 5})),  # of five that died, none in the base, no more are needed
        ("head", "exit/2", Counter({"ok": 22, "error": 5})),  # four whole rounds among them
        ("head", "kill/4", Counter({"ok": 17, "error": 1})),
        ("base", "hang/99", Counter({"ok": 15})),
    ],
)
def test_a_round_of_two_trees_in_which_a_trial_died_is_taken_again_within_a_limit(
    tree: str, how: str, rounds: Counter[str], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({tree: how}))
    folder = execute(start(BASE, trees=trees(tmp_path), rounds=5))
    measured = [t for t in trials(folder) if t["stage"] == "measure"]

    assert rounds == Counter(t["status"] for t in measured)
    assert all(Counter({"A": 1, "A'": 1, "V": 1}) == Counter(t["arm"] for t in r) for r in by_round(measured))


def test_a_base_whose_pilot_died_is_tried_again(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"base": "exit"}))
    folder = execute(start(BASE, trees=trees(tmp_path), rounds=5))

    assert [("base", "error")] * 3 + [("head", "ok")] == [(t["tree"], t["status"]) for t in trials(folder)]


def test_rounds_are_taken_again_of_the_variant_alone_whose_trial_died(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "oom/9"}))
    folder = execute(start(BASE, KEPT, trees=trees(tmp_path), rounds=6))
    measured = Counter(t["variant_id"] for t in trials(folder) if t["stage"] == "measure")

    assert Counter({BASE: 18, KEPT: 18 + 3 * died(folder)}) == measured
    assert died(folder) > 0


def test_no_trial_of_the_pilot_gets_more_time_than_the_budget_has_left(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits_s: list[float] = []
    real = child.ask

    def noted(*arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        limits_s.extend([] if arguments[0]["counts"] else [arguments[2]])  # a pilot finds them out
        return real(*arguments)

    monkeypatch.setattr(child, "ask", noted)
    execute(start(BASE, LARGEST, pilot_only=[LARGEST], budget_s=20.0, memory_limit_bytes={"cpu": 100_000_000}))

    assert len(limits_s) > 2
    assert 0 < limits_s[-1] < limits_s[0] <= 20


def test_a_pilot_that_the_budget_ended_says_so(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({BASE: "hang"}))
    folder = execute(start(BASE, budget_s=2.0))

    [trial] = trials(folder)
    assert trial["status"] == "timeout"
    assert re.fullmatch(r"no reply within \d s, when the budget ended", trial["reason"])


@pytest.mark.parametrize(
    ("variant_id", "train_images", "run"),
    [
        # A step of 32 images takes 1 s, or 0.8 s where it is no baseline; at most 30 s in all.
        (BASE, 320, True),  # three epochs of 10 s
        (BASE, 352, False),  # three of 11 s
        ("cuda-default-nchw-inductor-b32", 384, True),  # three of 9.6 s
        ("cuda-default-nchw-reduce-overhead-b32", 384, False),  # four of 9.6 s
    ],
)
def test_epochs_are_run_where_all_of_them_together_are_short(
    variant_id: str, train_images: int, run: bool, start: Start
) -> None:
    begun = start(variant_id)
    begun.header.data = replace(begun.header.data, train_images=train_images)

    assert ("epoch" in {t["probes"] for t in trials(execute(begun))}) == run


def test_a_compiled_trial_is_planned_to_last_as_long_as_one_that_found_the_code(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step of the one that compiled is taken off whole, though one that finds code traces and loads too."""
    compiled = "cpu-default-nchw-inductor-b32"
    monkeypatch.setenv("FAKE_WORKER", json.dumps({compiled: "slow"}))
    run = start(BASE, compiled, rounds=1)
    folder = execute(run)
    found_it_s = next(t["duration_s"] for t in trials(folder) if (t["variant_id"], t["probes"]) == (compiled, "memory"))

    assert found_it_s > 0.5  # so long the fake worker sleeps
    assert read_run(folder).plan.trial_s[compiled] >= found_it_s


def test_a_pilot_that_the_budget_cut_short_is_taken_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "hang"}))
    run = start(BASE, KEPT, budget_s=3.0)
    folder = execute(run)
    monkeypatch.delenv("FAKE_WORKER")
    resumed = launch.resume(folder, run.progress, tmp_path / "cache")
    resumed.worker, resumed.plan.budget_s = run.worker, None
    execute(resumed)

    assert {"timeout", "ok"} == {t["status"] for t in trials(folder) if t["variant_id"] == KEPT}
    assert (KEPT, "V") in read_run(folder).plan.arms


def test_a_time_limit_is_no_length_of_a_round(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "hang/3"}))
    monkeypatch.setattr(schedule, "LEAST_LIMIT_S", 3.0)
    monkeypatch.setattr(schedule, "LIMIT_FACTOR", 0.0)
    run = start(BASE, trees=trees(tmp_path), rounds=4, budget_s=75.0)  # 21 rounds of 3 s would not fit
    launch.execute(run, after_pilot=lambda _: None, flag=lambda _: [])
    folder = run.folder.folder
    measured = [t for t in trials(folder) if t["stage"] == "measure"]

    assert "rounds" == read_run(folder).ended_because
    assert sum(all(t["status"] == "ok" for t in r) for r in by_round(measured)) == 4


def test_nothing_more_is_taken_of_a_variant_that_is_invalid(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "invalid/2"}))
    folder = execute(start(BASE, trees=trees(tmp_path), rounds=6))

    assert Counter({"ok": 2, "invalid": 1}) == Counter(t["status"] for t in trials(folder) if t["stage"] == "measure")


def died(folder: Path) -> int:
    return sum(t["status"] != "ok" for t in trials(folder))


def by_round(measured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[t for t in measured if t["round"] == number] for number in dict.fromkeys(t["round"] for t in measured)]


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

    assert read_run(run.folder.folder).status == "interrupted"
    assert 5 == len(trials(run.folder.folder))
    check_resumed(run.folder.folder)


def check_resumed(folder: Path) -> None:
    """Resume the run and see that nothing is lost, doubled, or counted from a cut round."""
    before = (folder / "samples.csv").read_bytes(), trials(folder)
    resumed = launch.resume(folder, RunProgress(Console(file=StringIO())), folder / "cache")
    resumed.worker = (sys.executable, str(Path(__file__).parent / "fake_worker.py"))
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
    assert run.status == "complete"


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
from bench.run import launch
from bench.plan.matrix import Entry
from bench.run.folder import RunFolder
from bench.core.progress import RunProgress
from bench.run.prepare.setup import variant_rows
from bench.run.trial import Run
from bench.core.variants import parse_id
from conftest import FAKE, header
entries = [Entry(variant=parse_id(i)) for i in {ids!r}]
rows = variant_rows(entries, dict.fromkeys({ids!r}, ""))
opened = RunFolder.create(Path({folder!r}), header(entries), rows)
run = Run(opened, header(entries), entries, RunProgress(Console(file=StringIO())), Path({cache!r}), worker=FAKE)
launch.execute(run, after_pilot=lambda folder: None)
"""


def test_a_parent_that_is_killed_loses_at_most_the_trial_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "killed"
    code = KILLED.format(
        tests=str(Path(__file__).parent), ids=[BASE, KEPT], folder=str(folder), cache=str(tmp_path / "cache")
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
        file.write("t00009,steps,step,,,wall,s,1,0,123.0\nt00009,steps,st")

    assert read_run(folder).status == "running"
    assert len(read_run(folder).plan.arms) == 3  # so that a report can tell which rounds are complete
    check_resumed(folder)
    ids = {t["trial_id"] for t in trials(folder)}
    assert "t00009" not in ids
    assert 123.0 in [s["value"] for s in read_rows(folder, SAMPLES)[0] if s["trial_id"] not in ids]
