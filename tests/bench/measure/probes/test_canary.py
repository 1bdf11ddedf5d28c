"""The canary: fixed work, whatever is measured beside it."""

import pytest
import torch

from bench.measure.clock import HostClock
from bench.measure.probes import canary
from tests.bench.measure.queue_clock import QueueClock


def test_each_task_has_three_samples_of_seconds_a_call() -> None:
    rows = canary.seconds_of_each(torch.device("cpu"), HostClock()).rows

    assert [r.metric for r in rows[::3]] == ["canary_convolution", "canary_matmul", "canary_copy"]
    assert [r.index for r in rows] == [0, 1, 2] * 3
    assert all(r.value > 0 and r.iterations >= 1 and r.scope == "process" for r in rows)


def test_the_work_is_the_same_every_time() -> None:
    first, again = (canary.tasks(torch.device("cpu")) for _ in range(2))

    for name in ("canary_convolution", "canary_matmul"):
        assert torch.equal(first[name](), again[name]())  # type: ignore[arg-type]


def test_a_device_with_a_queue_is_timed_by_its_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of 5 us of the host's and 2 us of the device's is no call of 5."""
    clock = QueueClock()
    monkeypatch.setattr(canary, "tasks", lambda _device: {"canary_matmul": lambda: clock.launch(5e-6, 2e-6)})
    rows = canary.seconds_of_each(torch.device("cuda"), clock).rows

    assert [round(row.value * 1e6, 3) for row in rows] == [2.0] * 3
    assert {row.iterations for row in rows} == {canary.MOST_CALLS}
