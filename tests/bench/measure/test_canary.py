"""The canary: fixed work, whatever is measured beside it."""

import torch

from bench.measure import canary
from bench.measure.clock import HostClock


def test_each_task_has_three_samples_of_seconds_a_call() -> None:
    rows = canary.measure(torch.device("cpu"), HostClock()).rows

    assert [r["metric"] for r in rows[::3]] == ["canary_convolution", "canary_matmul", "canary_copy"]
    assert [r["index"] for r in rows] == [0, 1, 2] * 3
    assert all(r["value"] > 0 and r["iterations"] >= 1 and r["scope"] == "process" for r in rows)


def test_the_work_is_the_same_every_time() -> None:
    first, again = (canary.tasks(torch.device("cpu")) for _ in range(2))

    for name in ("convolution", "matmul"):
        assert torch.equal(first[name](), again[name]())  # type: ignore[arg-type]
