"""NVML of one made-up GPU, to stand in for the module pynvml."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

UUID = "d3adbeef-0000-0000-0000-000000000001"
TICK_S = 0.1
"""How often the energy counter moves: measured on an H100 (docs/gpu.md)."""
ANSWERS: dict[str, Any] = {
    "nvmlDeviceGetClockInfo": 1980,  # MHz
    "nvmlDeviceGetTemperature": 41,
    "nvmlDeviceGetPowerUsage": 305_000,  # mW
    "nvmlDeviceGetCurrentClocksEventReasons": 0x5,  # idle, and the power cap
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0x9,  # idle, and hardware slowdown
}


@dataclass
class FakeNvml:
    """Answers as ANSWERS says; `asked` has each function's name, in order. What is `silent` is not supported.

    The energy counter shows what the GPU drew at `power_w` until the last whole tenth of a second. The clock is held
    back by power for `capped` of the time, and never by heat.
    """

    now_s: Callable[[], float]
    power_w: float = 300.0
    capped: float = 0.25
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0
    NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL = 0, 1

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in ANSWERS:
            raise AttributeError(name)
        return lambda *_: self.answer(name, ANSWERS[name])

    def answer(self, name: str, value: Any) -> Any:  # noqa: ANN401
        """The value, where the GPU tells it."""
        self.asked.append(name)
        if name in self.silent:
            msg = "Not Supported"
            raise RuntimeError(msg)
        return value

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name
        self.answer("nvmlInit", None)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        assert uuid == f"GPU-{UUID}"
        return str(self.answer("nvmlDeviceGetHandleByUUID", "handle"))

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle: str) -> int:  # noqa: N802
        ticks = int(self.now_s() / TICK_S + 1e-9)
        return int(self.answer("nvmlDeviceGetTotalEnergyConsumption", 7_000_000 + ticks * TICK_S * self.power_w * 1e3))

    def nvmlDeviceGetViolationStatus(self, _handle: str, policy: int) -> SimpleNamespace:  # noqa: N802
        share = self.capped if policy == self.NVML_PERF_POLICY_POWER else 0.0
        held = SimpleNamespace(violationTime=5_000_000_000 + int(self.now_s() * share * 1e9))
        return SimpleNamespace(**vars(self.answer("nvmlDeviceGetViolationStatus", held)))
