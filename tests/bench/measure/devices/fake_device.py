"""A device that does its work in order behind the host, in the place of torch's module for a kind of device."""

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch

from bench.measure import clock
from bench.measure.clock import HostClock
from bench.measure.devices import xpu
from tests.bench.fake_nvml import UUID

SPEED_HZ = 1e9
"""Of a spin."""
GIB = 2**30
PROPERTIES = SimpleNamespace(
    name="Made-up GPU", total_memory=4 * GIB, driver_version="1.6.3", max_compute_units=160, uuid=UUID,
    last_level_cache_size=16 * 2**20, L2_cache_size=50 * 2**20,
)  # fmt: skip
ALLOCATOR: dict[str, Any] = {
    "reset_peak_memory_stats": None, "max_memory_allocated": 700, "max_memory_reserved": 800,
}  # fmt: skip
NUMBERED: dict[str, Any] = ALLOCATOR | {
    "device_count": 2, "set_device": None, "mem_get_info": (100, 300), "get_device_name": "Made-up GPU",
    "get_device_properties": PROPERTIES, "set_per_process_memory_fraction": None,
}  # fmt: skip
"""What torch.cuda and torch.xpu answer."""
METAL: dict[str, Any] = {
    "driver_allocated_memory": 900, "recommended_max_memory": 4 * GIB, "set_per_process_memory_fraction": None,
}  # fmt: skip


@dataclass
class FakeDevice:
    """Time stands still but for work. `asked` has the name of all that is asked of torch, in order."""

    kind: str
    host_s: float = 0.0
    free_s: float = 0.0
    """When the device is done with all that it was given."""
    asked: list[str] = field(default_factory=list)
    given: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """The arguments of the last call of each function."""
    real: dict[tuple[str, str], Any] = field(default_factory=dict)
    """torch's own functions, by module and name."""

    def launch(self, host_s: float, device_s: float) -> None:
        """The host takes `host_s` to give the device work of `device_s`; a CPU does the work itself."""
        self.host_s += host_s
        if self.kind == "cpu":
            self.host_s += device_s
        self.free_s = max(self.host_s, self.free_s) + (0.0 if self.kind == "cpu" else device_s)

    def synchronize(self) -> None:
        self.host_s = max(self.host_s, self.free_s)

    def sleep(self, cycles: int) -> None:
        self.launch(0.0, cycles / SPEED_HZ)

    def answering(self, holder: ModuleType, name: str, answer: Any) -> Callable[..., Any]:  # noqa: ANN401
        """A function in the place of torch's, which takes what torch's own takes; an answer may be a function."""

        def note(*arguments: Any, **_options: Any) -> Any:  # noqa: ANN401
            self.asked.append(name)
            self.given[name] = arguments
            return answer(*arguments) if callable(answer) else answer

        own = self.real.setdefault((holder.__name__, name), getattr(holder, name))
        function: Callable[..., Any] = mock.create_autospec(own, side_effect=note)
        return function

    def put(self, patch: pytest.MonkeyPatch, holder: ModuleType, answers: dict[str, Any]) -> None:
        """Let a module of torch answer so."""
        for name, answer in answers.items():
            patch.setattr(holder, name, self.answering(holder, name, answer))


class Event:
    """An event that the device reaches when it is done with what it was given before."""

    def __init__(self, device: FakeDevice, **options: object) -> None:
        inspect.signature(torch.Event.__new__).bind(torch.Event, **options)
        self.device = device

    def record(self) -> None:
        self.device.asked.append("record")
        self.at_s = max(self.device.host_s, self.device.free_s)

    def elapsed_time(self, end: "Event") -> float:
        self.device.asked.append("elapsed")
        return 1e3 * (end.at_s - self.at_s)

    def query(self) -> bool:
        self.device.asked.append("query")
        return self.at_s <= self.device.host_s


def install(patch: pytest.MonkeyPatch, kind: str) -> FakeDevice:
    """A device of a kind: the host's clock, and torch's modules for that kind, are its."""
    device = FakeDevice(kind)
    times: dict[str, Callable[[], float]] = {
        "perf_counter": lambda: device.host_s, "perf_counter_ns": lambda: round(1e9 * device.host_s),
    }  # fmt: skip
    patch.setattr(clock, "time", SimpleNamespace(**times, sleep=lambda seconds: device.launch(seconds, 0.0)))
    patch.setattr(HostClock, "host_s", staticmethod(times["perf_counter"]))
    patch.setattr(HostClock, "mark", staticmethod(times["perf_counter_ns"]))
    xpu.spins.cache_clear()
    waits = {"synchronize": lambda *_: device.synchronize()}
    if kind == "mps":
        device.put(patch, torch.mps, METAL | waits)
        device.put(patch, torch.accelerator, ALLOCATOR)
        device.put(patch, torch.backends.mps, {"is_available": True, "is_built": True, "get_name": "Made-up GPU"})
        device.put(patch, torch.backends.mps, {"get_core_count": 40})
    if kind in ("cuda", "xpu"):
        module = torch.get_device_module(kind)
        device.put(patch, module, NUMBERED | waits | {"_sleep": device.sleep})
        patch.setattr(module, "Event", lambda **options: Event(device, **options))
        patch.setattr(module, "device", lambda _: nullcontext())
    if kind == "cuda":
        device.put(patch, torch.cuda, {"is_available": True, "get_device_capability": (9, 0)})
    if kind == "xpu":
        device.put(patch, torch.xpu, {"_is_compiled": True})
    return device
