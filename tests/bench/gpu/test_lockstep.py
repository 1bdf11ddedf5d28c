"""The two ways to take rounds, beside each other: how far identical code differs in each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.gpu.recorder import Outcome, Recorder, Task
from bench.gpu.steps import lockstep, rounds

BASE = "cuda-default-nchw-eager-b128"


def test_the_spread_is_that_of_the_log_of_the_ratio() -> None:
    # logs of ratios -0.1, 0, 0.1: a standard deviation of 0.1 by hand
    assert lockstep.spread([1.0, 1.0, 1.0], [0.9, 1.0, 1.1]) == pytest.approx(0.1)


def test_each_way_is_a_run_of_its_own(
    make_run: Callable[..., Path],
    tmp_path: Path,
    recorder: Callable[..., Recorder],
    outcome: Callable[[], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def taken(_: Task, run_id: str, variant_id: str, asked: int, budget_s: float, *more: str) -> int:
        calls.append((run_id, variant_id, asked, budget_s, more))
        steps = [1.0, 1.01, 1.0, 1.02] if run_id == "lockstep" else [1.0]
        # The first is the pilot's. The logs of the others are 0.00995, 0 and 0.0198: a standard deviation of 0.0099.
        make_run({(BASE, "A"): steps, (BASE, "A'"): [1.0] * len(steps)}, name=run_id)
        return 0

    monkeypatch.setattr(rounds, "bench_run", taken)
    lockstep.measure(Task(step="lockstep", rehearse=False, limit_s=310, scratch=tmp_path), recorder())
    checks = {check.check: (check.status.value, round(check.measured, 4)) for check in outcome().checks}

    assert calls == [
        ("lockstep", BASE, 10, 150.0, ("--lockstep",)),
        ("no-lockstep", BASE, 10, 150.0, ("--no-lockstep",)),
    ]
    assert checks["in lockstep: spread of identical code over 3 rounds"] == ("ok", 0.0099)
    assert (
        next(status for name, (status, _) in checks.items() if name.startswith("one after the other: spr")) == "skipped"
    )
