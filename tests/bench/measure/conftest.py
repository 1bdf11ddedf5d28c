"""A clock that only moves when told to, and a workload that only moves it."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from bench.core.variants import Variant
from bench.measure.workload import Inputs, Workload, build
from nin.train import Mark, Setup, no_mark
from tests.bench.fake_nvml import UUID, FakeNvml


@dataclass
class FakeClock:
    """Time stands still but for `pass_s`; everything asked of it is written down."""

    now_s: float = 0.0
    events: list[str] = field(default_factory=list)
    waits: bool = False

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    pause = pass_s

    def host_s(self) -> float:
        return self.now_s

    def mark(self) -> float:
        self.events.append("mark")
        return self.now_s

    def sync(self) -> None:
        self.events.append("sync")

    def elapsed_s(self, start: float, end: float) -> float:
        return end - start

    def hold(self, seconds: float) -> None:
        assert not seconds  # there is no queue

    def reached(self, _stamp: float) -> bool:
        return True

    def give_back(self, _stamps: Iterable[float]) -> None:
        pass


@pytest.fixture
def fake_nvml(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeNvml:
    """NVML of a made-up GPU in the place of the module, on the fake clock."""
    fake = FakeNvml({"uuid": f"GPU-{UUID}"}, now_s=lambda: clock.now_s)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: SimpleNamespace(uuid=UUID))
    return fake


@pytest.fixture(autouse=True)
def models_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that `tests_models:factory` can be named."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


PHASE_S = {
    "data": 0.5, "h2d": 0.25, "forward": 1.0, "loss": 0.125, "backward": 2.0, "optimizer": 0.5, "read": 0.0625,
}  # fmt: skip
STEP_S = 0.5 + 0.25 + 1.0 + 0.125 + 2.0 + 2 * 0.5 + 0.0625  # the optimizer has two turns


@pytest.fixture
def fake_work(clock: FakeClock) -> Workload:
    """A workload whose phases take PHASE_S on the fake clock, and whose model is empty."""

    def batches() -> Iterator[tuple[None, None]]:
        while True:
            clock.pass_s(PHASE_S["data"])
            yield None, None

    def step(_x: None, _y: None, mark: Mark = no_mark) -> None:
        clock.events.append("step")
        for phase in ("h2d", "forward", "loss", "optimizer", "backward", "optimizer", "read"):
            mark(phase)
            clock.pass_s(PHASE_S[phase])

    trainer = SimpleNamespace(
        step=step, model=nn.Sequential(), setup=Setup(device=torch.device("cpu")), move=lambda x, y: (x, y)
    )
    return Workload(
        trainer=cast("Any", trainer),
        batches=cast("Any", batches()),
        variant=Variant(),
        loader=cast("Any", None),
        inputs=Inputs(),
        seed=0,
    )


@pytest.fixture
def real_work() -> Callable[..., Workload]:
    """A real workload on the subset or, with `shape`, on random images."""

    def made(shape: tuple[int, int, int] | None = None, **axes: object) -> Workload:
        return build(Variant(**axes), Inputs(shape=shape), seed=0)  # type: ignore[arg-type]

    return made
