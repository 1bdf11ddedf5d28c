"""What is held of the model is known to the byte."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.gpu.recorder import Outcome, Recorder
from bench.gpu.steps import memory

GIB = 2**30
TOLD: dict[str, float] = {
    "parameter": 8e6, "gradient": 8e6, "optimizer": 16e6, "saved": 984e6, "allocator_peak": 1.3e9, "reserved": 1.5e9,
}  # fmt: skip
WORK: Any = SimpleNamespace(device=torch.device("cuda"))


@pytest.fixture
def statuses(
    recorder: Callable[..., Recorder], outcome: Callable[[], Outcome], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """What comes of what was told, beside another peak, and what NVML has beside 1.5 GiB reserved."""

    def made(*, peak: float = 1.3e9, used: int | None = 2 * GIB, **more: float) -> list[str]:
        for name in ("reset_peak_memory_stats", "synchronize"):
            monkeypatch.setattr(torch.cuda, name, lambda *_: None)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: peak)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 1.5 * GIB)
        monkeypatch.setattr(memory, "take_step", lambda _: None)
        monkeypatch.setattr(memory, "Gpu", lambda _: SimpleNamespace(used_bytes=lambda: used))
        to = recorder()
        memory.allocator(WORK, TOLD | more, to)
        memory.process(WORK, to)
        return [check.status.value for check in outcome().checks]

    return made


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, ["ok", "ok", "ok"]),
        ({"peak": 1.4e9}, ["failed", "ok", "ok"]),
        ({"allocator_peak": 0.2e9, "peak": 0.2e9}, ["ok", "failed", "ok"]),  # that of a replay
        ({"reserved": 1.2e9}, ["ok", "failed", "ok"]),
        ({"used": GIB}, ["ok", "ok", "failed"]),
        ({"used": 4 * GIB}, ["ok", "ok", "failed"]),
        ({"used": None}, ["ok", "ok", "skipped"]),
    ],
)
def test_bytes_that_differ_fail(found: dict[str, Any], expected: list[str], statuses: Callable[..., list[str]]) -> None:
    assert statuses(**found) == expected


def test_the_model_s_own_bytes_are_those_that_the_harness_tells(
    recorder: Callable[..., Recorder], outcome: Callable[[], Outcome]
) -> None:
    """On the CPU: the numbers of parameters are the same there, and nothing else is claimed."""
    to = recorder(rehearse=True)
    memory.measure(to.task, to)
    found = {check.check: check.status.value for check in outcome().checks}

    assert [found.pop(name) for name in ("parameter", "gradient", "optimizer")] == ["ok", "ok", "ok"]
    assert set(found.values()) == {"skipped"}
