"""The pilot: what is taken, for how long, and what the rounds learn from it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply
from bench.core.header import read_run
from bench.core.variants import Variant
from bench.plan import schedule
from bench.process import child
from bench.run.trial import question_of
from tests.bench.run.runs import BASE, KEPT, LARGEST, Start, declare, execute, resumed, trees, trials


def test_no_trial_of_the_pilot_gets_more_time_than_the_budget_has_left(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits_s: list[float] = []
    real = child.ask

    def noted(*arguments: Any) -> Reply:  # noqa: ANN401
        limits_s.extend([] if arguments[0].counts else [arguments[2]])  # a pilot finds them out
        return real(*arguments)

    monkeypatch.setattr(child, "ask", noted)
    execute(start(BASE, LARGEST, pilot_only=[LARGEST], budget_s=20.0, memory_limit_bytes={"cpu": 100_000_000}))

    assert len(limits_s) > 2
    assert 0 < limits_s[-1] < limits_s[0] <= 20


def test_a_pilot_that_the_budget_ended_says_so(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({BASE: "hang"}))
    folder = execute(start(BASE, budget_s=2.0))

    [trial] = trials(folder)
    assert (trial["status"], trial["cause"]) == ("timeout", Cause.BUDGET_ENDED)
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
    begun.header = replace(begun.header, data=replace(begun.header.data, train_images=train_images))

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
    assert read_run(folder).learned.trial_s[compiled] >= found_it_s


def test_a_pilot_that_the_budget_cut_short_is_taken_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "hang"}))
    run = start(BASE, KEPT, budget_s=3.0)
    folder = execute(run)
    monkeypatch.delenv("FAKE_WORKER")
    again = resumed(run, tmp_path / "cache")
    declare(again, budget_s=None)
    execute(again)

    assert {"timeout", "ok"} == {t["status"] for t in trials(folder) if t["variant_id"] == KEPT}
    assert (KEPT, "V") in read_run(folder).state.arms


def test_a_base_whose_pilot_died_is_tried_again(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"base": "exit"}))
    folder = execute(start(BASE, trees=trees(tmp_path), rounds=5))

    assert [("base", "error")] * 3 + [("head", "ok")] == [(t["tree"], t["status"]) for t in trials(folder)]


def test_the_gate_s_files_are_in_the_scratch_folder_by_code_tree(start: Start) -> None:
    run = start(BASE)
    folders = []
    for tree in ("", "head"):
        arm = schedule.Arm(name="A", variant=Variant(), tree=tree)
        planned = schedule.Planned(round=0, order=0, arm=arm, stage="pilot", probes=())
        folders.append(question_of(run, planned, None, 1.0).request.references)

    assert folders == [str(run.cache / "references"), str(run.cache / "references" / "head")]


def test_a_resumed_run_begins_without_the_gate_s_files(start: Start, tmp_path: Path) -> None:
    run = start(BASE)
    execute(run)
    old = tmp_path / "cache" / "references" / "old.pt"
    old.parent.mkdir(parents=True)
    old.touch()
    resumed(run, tmp_path / "cache").folder.close()

    assert not old.exists()
