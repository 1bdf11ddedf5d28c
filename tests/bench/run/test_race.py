"""The race of a run on the fake worker: who is measured when, and that an interrupted race goes on where it was."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest

from bench.analyse.race import ranking
from bench.core.header import read_run
from bench.process import child
from bench.run import session
from bench.run.record import Run
from tests.bench.run.runs import BASE, KEPT, Start, resumed, trials

FIVE = [f"cpu-default-nchw-eager-b32-t{count}" for count in (1, 2, 3, 4, 5)]
LOOP = "cpu-default-nchw-eager-b32-notebook-syncstep"
BF16 = "cpu-bf16-nchw-eager-b32"


def execute(run: Run) -> Path:
    session.execute(run, after_pilot=lambda _: None, ranking=ranking)
    return run.folder.folder


def of_stage(folder: Path, stage: str) -> Counter[str]:
    return Counter(str(t["variant_id"]) for t in trials(folder) if t["stage"] == stage)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is the slowest of the five, the last the fastest."""
    monkeypatch.setenv("FAKE_STEPS", json.dumps(dict(zip(FIVE, (0.9, 0.8, 0.7, 0.6, 0.5), strict=True))))


@pytest.mark.usefixtures("speeds")
def test_the_fastest_get_the_rounds_and_the_others_only_those_of_the_race(start: Start, shown: StringIO) -> None:
    folder = execute(start(BASE, LOOP, *FIVE, finalists=2, lockstep=["cpu"]))

    assert of_stage(folder, "race") == {BASE: 4} | dict.fromkeys(FIVE[:2], 1) | dict.fromkeys(FIVE[2:], 2)
    assert of_stage(folder, "measure") == {BASE: 4, LOOP: 2, FIVE[3]: 2, FIVE[4]: 2}
    assert read_run(folder).state.candidates == [FIVE[4], FIVE[3]]
    assert [t["variant_id"] for t in trials(folder) if t["probes"] == "memory"] == [BASE, LOOP, FIVE[3], FIVE[4]]
    assert f"race: 2 left: {FIVE[4]}, {FIVE[3]}" in shown.getvalue()


@pytest.mark.usefixtures("speeds")
def test_without_finalists_there_is_no_race(start: Start) -> None:
    folder = execute(start(BASE, *FIVE))

    assert of_stage(folder, "race") == {}
    assert of_stage(folder, "measure") == {BASE: 4} | dict.fromkeys(FIVE, 2)


@pytest.mark.usefixtures("speeds")
def test_a_race_that_the_budget_can_not_hold_ranks_by_the_pilot(start: Start, shown: StringIO) -> None:
    folder = execute(start(BASE, *FIVE, finalists=2, budget_s=16.0))

    assert of_stage(folder, "race") == {}
    assert read_run(folder).state.candidates == [FIVE[4], FIVE[3]]
    assert "no time for a round of it" in shown.getvalue()


@pytest.mark.usefixtures("speeds")
def test_what_dies_in_the_race_is_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(BASE, *FIVE, finalists=2)
    monkeypatch.chdir(run.folder.folder.parent)
    monkeypatch.setenv("FAKE_WORKER", json.dumps({FIVE[4]: "exit/2"}))  # its pilot is well, its first race is not
    folder = execute(run)

    assert read_run(folder).state.candidates == [FIVE[3], FIVE[2]]
    assert FIVE[4] not in of_stage(folder, "measure")


@pytest.mark.usefixtures("speeds")
@pytest.mark.parametrize("at", [8, 10, 14, 17, 20])
def test_an_interrupted_race_goes_on_with_who_was_left(start: Start, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(BASE, *FIVE, finalists=2)
    real, calls = child.ask, Counter[str]()

    def interrupted(*arguments: object, **more: object) -> object:
        calls["asked"] += 1
        if calls["asked"] == at:
            raise KeyboardInterrupt
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(child, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(run)
    monkeypatch.undo()
    folder = execute(resumed(run, run.cache))
    whole = read_run(folder)

    assert whole.state.status == "complete"
    assert len(whole.state.candidates or ()) == 2
    assert set(of_stage(folder, "measure")) == {BASE, *(whole.state.candidates or ())}


def test_a_hopeless_first_step_ends_its_pilot_and_spares_what_has_it_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "cpu-bf16-nhwc-eager-b32"
    monkeypatch.setenv("FAKE_STEPS", json.dumps({BF16: 20.0}))
    folder = execute(start(BASE, KEPT, BF16, both))

    assert [(t["variant_id"], t["cause"]) for t in trials(folder) if t["cause"]] == [(BF16, "too_slow")]
    assert of_stage(folder, "pilot")[both] == 0
    assert set(of_stage(folder, "measure")) == {BASE, KEPT}
