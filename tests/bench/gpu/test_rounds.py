"""What the acceptance says of a run that it took."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.core.variants import parse_id
from bench.gpu.recorder import Outcome, Recorder, Task
from bench.gpu.steps import rounds
from bench.gpu.steps.times import variants
from bench.plan.choices import parse_budget
from bench.plan.schedule import light

BASE, FAST = "cuda-default-nchw-eager-b128", "cuda-bf16-nhwc-eager-b128"
SWING = (1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0)


def steps(again: float = 1.0, count: int = len(SWING)) -> dict[tuple[str, str], Sequence[float]]:
    """Steps of 10 ms of the baseline, and 7 ms; of its second trial `again` times as long."""
    first, second = SWING[:count], SWING[::-1][:count]
    return {
        (BASE, "A"): [0.01 * s for s in first],
        (BASE, "A'"): [0.01 * again * s for s in second],
        (FAST, "V"): [0.007 * s for s in first],
    }


@pytest.fixture
def check(
    make_run: Callable[..., Path], recorder: Callable[..., Recorder], outcome: Callable[[], Outcome]
) -> Callable[..., dict[str, str]]:
    def made(values: dict[tuple[str, str], Sequence[float]], **more: Any) -> dict[str, str]:  # noqa: ANN401
        rounds.check_run(make_run(values, **more), recorder())
        return {check.check: check.status.value for check in outcome().checks}

    return made


Checked = Callable[..., dict[str, str]]
CONTROL = f"{BASE}: identical code, first over second"


def test_a_run_that_is_true_passes_and_tells_its_verdict(check: Checked, outcome: Callable[[], Outcome]) -> None:
    statuses = check(steps())

    assert set(statuses.values()) == {"ok"}
    assert {f"{CONTROL}, lower end", f"{CONTROL}, upper end", "trials that were not ok"} <= set(statuses)
    assert outcome().facts[f"{FAST}: verdict, times the baseline"].startswith("FASTER 1.4")


@pytest.mark.parametrize(("again", "end"), [(1.2, "upper"), (0.8, "lower")])
def test_identical_code_that_comes_out_different_fails(again: float, end: str, check: Checked) -> None:
    statuses = check(steps(again))

    assert [name for name, status in statuses.items() if status == "failed"] == [
        f"{CONTROL}, {'lower' if end == 'lower' else 'upper'} end"
    ]


def test_too_few_rounds_skip_the_control_with_their_number(check: Checked, outcome: Callable[[], Outcome]) -> None:
    statuses = check(steps(count=4))

    assert statuses[CONTROL] == "skipped"
    assert [c.reason for c in outcome().checks if c.check == CONTROL] == [
        "an interval needs 7 rounds, and 3 fit the time"
    ]


def test_a_trial_that_died_fails_with_its_reason(check: Checked, outcome: Callable[[], Outcome]) -> None:
    statuses = check(steps(), bad={(FAST, "V", 3): "oom"})

    assert statuses["trials that were not ok"] == "failed"
    assert [f"{FAST}: oom" in c.reason for c in outcome().checks if c.status == "failed"] == [True]


def test_parts_that_do_not_add_up_fail(check: Checked) -> None:
    statuses = check(steps(), layers=[("0", "Conv2d", 0.3, 0.5)])

    assert statuses[f"{BASE}: sum of parts over plain step"] == "failed"


@pytest.mark.parametrize(("rehearse", "device"), [(False, "cuda"), (True, "cpu")])
def test_the_run_is_asked_for_within_the_step_s_time(rehearse: bool, device: str, tmp_path: Path) -> None:
    task = Task(step="rounds", rehearse=rehearse, limit_s=300, scratch=tmp_path)
    words = rounds.command(task, "gpu", variants(task)[1].id, 7, 290)
    words = words[words.index("run") + 1 :]
    options = dict(zip(words[::2], words[1::2], strict=True))
    budget_s = parse_budget(options["--budget"])

    assert parse_id(options["--variant"]).device == device
    assert budget_s is not None
    assert 280 <= budget_s < 300
    assert light(verdicts=True, budget_s=budget_s)  # no whole epochs, and memory of the baseline alone
