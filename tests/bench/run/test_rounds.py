"""The rounds, and the fresh ones that decide what the others flagged: how many are taken, and why they end."""

import json
import signal
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from bench.core.header import Flagged, Looks, read_run
from bench.plan import schedule
from bench.process import child
from bench.run import session
from bench.run.record import Run
from tests.bench.run.runs import BASE, KEPT, Start, by_round, declare, died, execute, resumed, trees, trials

FLAGGED = [Flagged(variant_id=KEPT, scope="step", layer="", phase="", flag="SLOWER")]


def test_a_very_slow_variant_has_no_rounds(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.plan.schedule.VERY_SLOW_S", 0.5)
    monkeypatch.setattr("bench.plan.schedule.VERY_SLOW_TIMES", 0.7)  # the fake worker takes 0.8 of a baseline's step
    folder = execute(start(BASE, KEPT))

    assert {(0, KEPT)} == {(t["round"], t["variant_id"]) for t in trials(folder) if t["variant_id"] == KEPT}
    assert read_run(folder).state.status == "complete"


def test_the_pilot_predicts_the_whole(start: Start, shown: StringIO) -> None:
    folder = execute(start(BASE, KEPT))

    assert "the whole run should take about " in shown.getvalue()
    assert (read_run(folder).learned.predicted_s or 0) >= 15  # of the report


def test_a_budget_ends_the_rounds_before_one_that_could_not_end_in_it(start: Start) -> None:
    run = start(BASE, KEPT, budget_s=1.0, rounds=50)
    run.cache.mkdir()
    folder = execute(run)

    assert not run.cache.exists()
    assert {0} == {t["round"] for t in trials(folder)}
    assert read_run(folder).state.ended_because == "budget"


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


def test_what_is_flagged_is_measured_in_twenty_fresh_rounds(start: Start, tmp_path: Path) -> None:
    run = start(BASE, KEPT, trees=trees(tmp_path, "slow"))
    session.execute(run, after_pilot=lambda _: None, flag=lambda _: FLAGGED)
    confirm = [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]

    assert read_run(run.folder.folder).state.flagged == FLAGGED
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
        session.execute(run, after_pilot=lambda _: None, flag=lambda _: FLAGGED)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)
    folder = run.folder.folder
    session.execute(
        resumed(run, folder / "cache"), after_pilot=lambda _: None, flag=lambda _: pytest.fail("flagged anew")
    )
    rounds = Counter(t["round"] for t in trials(folder) if t["stage"] == "confirm")

    assert [3] * 20 == [n for n in rounds.values() if n == 3]
    assert 21 == len(rounds)  # and the one that was cut


def test_a_budget_keeps_room_for_the_fresh_rounds(
    start: Start, tmp_path: Path, shown: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.plan.schedule.REPORT_RESERVE_S", 0.0)
    # Trials are told to take 10 s each: a round 30 s, the fresh rounds 600 s, which leaves room for three.
    run = start(KEPT, trees=trees(tmp_path), rounds=12, budget_s=700.0)
    monkeypatch.setattr(Run, "trial_s", lambda *_: 10.0)
    session.execute(run, after_pilot=lambda _: None, flag=lambda _: [])

    assert "3 of 12 rounds fit the budget" in shown.getvalue()


def test_fresh_rounds_that_dont_fit_are_not_begun_and_the_trees_are_kept(start: Start, tmp_path: Path) -> None:
    run = start(KEPT, trees=trees(tmp_path), rounds=1, budget_s=30.0)
    run.cache.mkdir()

    def spend_it(_folder: Path) -> list[Flagged]:
        declare(run, budget_s=0.0)
        return FLAGGED

    run.save(replace(run.learned, trial_s={KEPT: 0.1}))
    session.execute(run, after_pilot=lambda _: None, flag=spend_it)

    assert not [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]
    assert read_run(run.folder.folder).state.ended_because == "budget"
    assert run.cache.is_dir()  # --resume can take them


def test_where_nothing_is_flagged_the_rounds_are_all(start: Start, tmp_path: Path) -> None:
    run = start(BASE, trees=trees(tmp_path))
    session.execute(run, after_pilot=lambda _: None, flag=lambda _: [])

    assert not [t for t in trials(run.folder.folder) if t["stage"] == "confirm"]
    assert read_run(run.folder.folder).state.flagged == []


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


def test_rounds_are_taken_again_of_the_variant_alone_whose_trial_died(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "oom/9"}))
    folder = execute(start(BASE, KEPT, trees=trees(tmp_path), rounds=6))
    measured = Counter(t["variant_id"] for t in trials(folder) if t["stage"] == "measure")

    assert Counter({BASE: 18, KEPT: 18 + 3 * died(folder)}) == measured
    assert died(folder) > 0


def test_a_time_limit_is_no_length_of_a_round(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "hang/3"}))
    monkeypatch.setattr(schedule, "LEAST_LIMIT_S", 3.0)
    monkeypatch.setattr(schedule, "LIMIT_FACTOR", 0.0)
    run = start(BASE, trees=trees(tmp_path), rounds=4, budget_s=75.0)  # 21 rounds of 3 s would not fit
    session.execute(run, after_pilot=lambda _: None, flag=lambda _: [])
    folder = run.folder.folder
    measured = [t for t in trials(folder) if t["stage"] == "measure"]

    assert "rounds" == read_run(folder).state.ended_because
    assert sum(all(t["status"] == "ok" for t in r) for r in by_round(measured)) == 4


def test_nothing_more_is_taken_of_a_variant_that_is_invalid(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"head": "invalid/2"}))
    folder = execute(start(BASE, trees=trees(tmp_path), rounds=6))

    assert Counter({"ok": 2, "invalid": 1}) == Counter(t["status"] for t in trials(folder) if t["stage"] == "measure")


def test_in_lockstep_a_round_is_taken_together_and_says_so(start: Start) -> None:
    folder = execute(start(BASE, KEPT, lockstep=["cpu"]))
    of_rounds = [t for t in trials(folder) if t["round"]]

    assert [t["in_lockstep"] for t in trials(folder) if not t["round"]] == [None] * 4
    assert [(t["round"], t["in_lockstep"], t["status"]) for t in of_rounds] == [
        (r, 3, "ok") for r in (1, 1, 1, 2, 2, 2)
    ]
    assert [t["order"] for t in of_rounds] == [0, 1, 2] * 2
    assert read_run(folder).learned.peak_bytes == {BASE: 2**20, KEPT: 2**20}


def test_one_that_dies_in_lockstep_is_a_row_beside_the_others(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(BASE, KEPT, lockstep=["cpu"])
    monkeypatch.chdir(run.folder.folder.parent)
    monkeypatch.setenv("FAKE_WORKER", json.dumps({KEPT: "exit/3"}))
    folder = execute(run)

    assert [(t["round"], t["arm"]) for t in trials(folder) if t["status"] == "error"] == [(1, "V")]
    assert Counter(t["status"] for t in trials(folder) if t["round"]) == {"ok": 5, "error": 1}


def test_two_trees_take_turns_variant_by_variant(start: Start, tmp_path: Path) -> None:
    folder = execute(start(BASE, KEPT, trees=trees(tmp_path), lockstep=["cpu"]))
    first = [t for t in trials(folder) if t["round"] == 1]

    assert [t["in_lockstep"] for t in first] == [3] * 6
    assert [len({t["variant_id"] for t in first[at : at + 3]}) for at in (0, 3)] == [1, 1]


LOOKS = Looks(rounds=(8, 10, 12), error=0.006)


def complete(folder: Path) -> int:
    """How many rounds are complete: as many trials as the first."""
    rounds = by_round([t for t in trials(folder) if t["stage"] == "measure"])
    return sum(len(of_round) == len(rounds[0]) for of_round in rounds)


def take(run: Run, ends_at: int) -> list[int]:
    """Takes a run that is decided from a number of rounds on. Returns after how many rounds it asked."""
    asked: list[int] = []

    def decided(folder: Path) -> bool:
        asked.append(complete(folder))
        return asked[-1] >= ends_at

    session.execute(run, after_pilot=lambda _: None, decided=decided)
    return asked


@pytest.mark.parametrize(
    ("ends_at", "asked", "rounds", "because"),
    [
        (1, [8], 8, "decided"),
        (9, [8, 10], 10, "decided"),
        (99, [8, 10], 12, "rounds"),  # after the last one, whatever it would say
    ],
)
def test_a_run_asks_at_its_looks_whether_it_may_end(
    ends_at: int, asked: list[int], rounds: int, because: str, start: Start
) -> None:
    run = start(BASE, KEPT, looks=asdict(LOOKS), rounds=12)

    assert take(run, ends_at) == asked
    assert complete(run.folder.folder) == rounds
    state = read_run(run.folder.folder).state
    assert (state.status, state.ended_because) == ("complete", because)


def test_a_run_with_a_given_number_of_rounds_never_asks(start: Start) -> None:
    run = start(BASE, rounds=10)

    assert take(run, 1) == []
    assert complete(run.folder.folder) == 10


@pytest.mark.parametrize(("taken", "asked"), [(8, [8]), (9, [10])])
def test_a_resumed_run_asks_at_once_if_it_is_at_a_look(
    taken: int, asked: list[int], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was interrupted in a round, which counts for nothing."""
    run, real = start(BASE, looks=asdict(LOOKS), rounds=12), child.ask

    def interrupted(*arguments: object, **more: object) -> object:
        if sum(trial.stage == "measure" for trial in run.trials) == 2 * taken + 1:
            raise KeyboardInterrupt
        return real(*arguments, **more)  # type: ignore[arg-type]

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(child, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take(run, 99)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)
    folder = run.folder.folder

    assert complete(folder) == taken
    assert take(resumed(run, folder / "cache"), 1) == asked
    assert complete(folder) == asked[0]
    assert read_run(folder).state.ended_because == "decided"


def test_a_budget_may_end_the_rounds_between_two_looks(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(BASE, looks=asdict(LOOKS), rounds=12, budget_s=10_000.0)
    real = Run.left_s
    monkeypatch.setattr(Run, "left_s", lambda run: 0.0 if complete(run.folder.folder) == 9 else real(run))

    assert take(run, 99) == [8]
    assert complete(run.folder.folder) == 9
    assert read_run(run.folder.folder).state.ended_because == "budget"
