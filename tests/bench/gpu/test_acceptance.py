"""Whatever a step comes to, the next is taken, and nothing that was not measured is called passed."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.core.variants import UsageError
from bench.gpu import acceptance
from bench.gpu.acceptance import Acceptance
from bench.gpu.checks import Check, Status
from bench.gpu.plan import Need, Step

FAKE = (sys.executable, str(Path(__file__).parent / "fake_step.py"))
ANYWHERE = frozenset[Need]()

Ask = Callable[..., Acceptance]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """An acceptance of steps that do what their names say, each with a tenth of the budget."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    def made(*names: str, budget_s: float = 600, spent_s: float = 0, rehearse: bool = False) -> Acceptance:
        needs = {"found": ANYWHERE}
        steps = [Step(name=n, title=n, share=0.1, least_s=1, needs=needs.get(n, frozenset({Need.CUDA}))) for n in names]
        return Acceptance(
            budget_s=budget_s, rehearse=rehearse, scratch=tmp_path, steps=steps, worker=FAKE,
            began=time.monotonic() - spent_s,
        )  # fmt: skip

    return made


def outcomes(asked: Acceptance) -> list[tuple[str, str, str]]:
    asked.take(lambda _: None)
    return [(check.step, check.check, check.status) for check in asked.checks]


def test_what_a_step_told_before_it_crashed_stands_and_the_next_is_taken(ask: Ask) -> None:
    asked = ask("found", "crashes", "killed", "torn", "wrong")

    assert outcomes(asked) == [
        ("found", "answer", "ok"),
        ("crashes", "answer", "ok"),
        ("crashes", "the whole step", "error"),
        ("killed", "answer", "ok"),
        ("killed", "the whole step", "error"),
        ("torn", "answer", "ok"),
        ("wrong", "answer", "ok"),
        ("wrong", "one", "failed"),
    ]
    reasons = [check.reason for check in asked.checks if check.status == "error"]
    assert ["exit code 3" in reasons[0], "signal 9" in reasons[1]] == [True, True]
    assert "crashes was here" in (asked.scratch / "log.txt").read_text()
    assert asked.facts == {"GPU": "Made-up GPU"}


def test_a_step_that_hangs_is_ended_at_its_limit_and_the_next_is_taken(ask: Ask) -> None:
    asked = ask("found", "hangs", "last", budget_s=40)
    began = time.monotonic()
    told = outcomes(asked)

    assert told[1:] == [("hangs", "answer", "ok"), ("hangs", "the whole step", "error"), ("last", "answer", "ok")]
    assert "not done within 4 s" in asked.checks[2].reason
    assert time.monotonic() - began < 30


def test_a_step_for_which_no_time_is_left_is_skipped_with_its_cause(ask: Ask) -> None:
    asked = ask("found", "late", budget_s=600, spent_s=600 - 10)

    assert outcomes(asked) == [("found", "the whole step", "skipped"), ("late", "the whole step", "skipped")]
    assert asked.checks[0].reason == "it takes at least 1 s, and 0 s of the budget were left"
    assert asked.exit_code == 4


def test_without_a_gpu_nothing_else_is_taken_and_the_exit_code_is_4(ask: Ask) -> None:
    asked = ask("other", "found")
    told = outcomes(asked)

    assert told[0] == ("other", "the whole step", "skipped")
    assert asked.checks[0].reason == "without a CUDA device"
    assert not (asked.scratch / "other.task.json").exists()


def test_a_rehearsal_does_without_a_gpu_and_claims_nothing_of_one(ask: Ask) -> None:
    asked = ask("other", "wrong", rehearse=True)

    assert outcomes(asked) == [
        ("other", "answer", "rehearsed"),
        ("wrong", "answer", "rehearsed"),
        ("wrong", "one", "rehearsed"),
    ]
    assert asked.exit_code == 0


@pytest.mark.parametrize(
    ("statuses", "has", "rehearse", "code"),
    [
        (("ok", "ok"), True, False, 0),
        (("ok", "skipped"), True, False, 0),
        (("ok", "failed"), True, False, 1),
        (("ok", "error", "ok"), True, False, 1),
        (("failed", "skipped"), False, False, 4),
        ((), False, False, 4),
        (("rehearsed", "skipped"), False, True, 0),
        (("rehearsed", "error"), False, True, 1),
    ],
)
def test_the_exit_code(statuses: tuple[str, ...], has: bool, rehearse: bool, code: int, tmp_path: Path) -> None:
    asked = Acceptance(budget_s=1, rehearse=rehearse, scratch=tmp_path)
    asked.checks = [Check(step="s", check="c", status=Status(status)) for status in statuses]
    asked.has = {Need.CUDA} if has else set()

    assert asked.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_told_before_an_interrupt_is_packed_and_the_rest_is_skipped(
    number: signal.Signals, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask("found", "answers", "later")
    run = Acceptance._run

    def interrupted(self: Acceptance, step: Step) -> object:
        told = run(self, step)
        if step.name == "answers":
            signal.raise_signal(number)
        return told

    monkeypatch.setattr(Acceptance, "_run", interrupted)
    code = acceptance.taken(asked, lambda _: None)
    acceptance.packed(asked, tmp_path / "out")
    lines = (tmp_path / "out" / "checks.csv").read_text().splitlines()

    assert code == 130
    assert [(c.step, c.status, c.reason) for c in asked.checks[1:]] == [
        ("answers", "ok", ""),
        ("answers", "skipped", "interrupted"),
        ("later", "skipped", "interrupted"),
    ]
    assert lines[0] == "step,check,expected,measured,unit,status,seconds,reason"
    assert lines[1].startswith("found,answer,42,42,1,ok,")


@pytest.mark.parametrize(("budget", "told"), [("none", "and an end"), ("0s", "some time"), ("soon", "--budget reads")])
def test_a_budget_is_a_time(budget: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        acceptance.run(tmp_path / "out", budget, rehearse=False, say=print)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(UsageError, match="is not empty"):
        acceptance.run(tmp_path, "9m", rehearse=False, say=print)
