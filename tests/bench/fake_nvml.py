"""NVML of made-up GPUs, to stand in for the module pynvml."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml

UUID = "d3adbeef-0000-0000-0000-000000000001"
TICK_S = 0.1
"""How often the energy counter moves: measured on an H100 (docs/gpu.md)."""
WHOLE: dict[str, Any] = {
    "uuid": "GPU-aaaa", "power_mw": 70_000, "clock_mhz": 1590, "mig": [0, 0], "pids": [11, 12], "graphics": [12],
    "slices": [],
}  # fmt: skip
"""A T4: two processes compute, and one of them also draws."""
FACTS = {
    "nvmlDeviceGetUUID": "uuid",
    "nvmlDeviceGetEnforcedPowerLimit": "power_mw",
    "nvmlDeviceGetMigMode": "mig",
}
"""The functions that return a GPU's own value, and its name there."""
PROCESSES = {"nvmlDeviceGetComputeRunningProcesses": "pids", "nvmlDeviceGetGraphicsRunningProcesses": "graphics"}
ANSWERS: dict[str, Any] = {
    "nvmlDeviceGetClockInfo": 1980,  # MHz
    "nvmlDeviceGetTemperature": 41,
    "nvmlDeviceGetPowerUsage": 305_000,  # mW
    "nvmlDeviceGetCurrentClocksEventReasons": 0x5,  # idle, and the power cap
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0x9,  # idle, and hardware slowdown
}
"""The same for every GPU."""


class FakeNvml(ModuleType):
    """Each GPU is WHOLE except for what it is given. A value that is None, and a function in `silent`, raises.

    `asked` has each function's name, in order. The energy counter shows what a GPU drew at `power_w` until the last
    whole tenth of a second. The clock is held back by power for `capped` of the time, and never by heat.
    """

    def __init__(
        self, *gpus: dict[str, Any], driver: str | None = "580.65.06", now_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        super().__init__("pynvml")
        self.gpus, self.driver, self.now_s = [WHOLE | gpu for gpu in gpus], driver, now_s
        self.power_w, self.capped = 300.0, 0.25
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name in ANSWERS:
            return lambda *_: self.answer(name, ANSWERS[name])
        if name in FACTS:
            return lambda gpu: self.answer(name, gpu[FACTS[name]])
        if name in PROCESSES:
            return lambda gpu: [SimpleNamespace(pid=pid) for pid in self.answer(name, gpu[PROCESSES[name]])]
        if name.startswith("NVML_"):
            return getattr(pynvml, name)
        raise AttributeError(name)

    def answer(self, name: str, value: Any) -> Any:  # noqa: ANN401
        """The value, if the GPU gives it."""
        self.asked.append(name)
        if value is None or name in self.silent:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name
        self.answer("nvmlInit", ())

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return str(self.answer("nvmlSystemGetDriverVersion", self.driver))

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, Any]:  # noqa: N802
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        return self.answer("nvmlDeviceGetHandleByUUID", next(gpu for gpu in self.gpus if gpu["uuid"] == uuid))

    def nvmlDeviceGetMaxClockInfo(self, gpu: dict[str, Any], kind: int) -> object:  # noqa: N802
        return self.answer("nvmlDeviceGetMaxClockInfo", gpu["clock_mhz"] if kind == pynvml.NVML_CLOCK_SM else None)

    def nvmlDeviceGetMaxMigDeviceCount(self, _gpu: dict[str, Any]) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: dict[str, Any], index: int) -> object:  # noqa: N802
        return self.answer("nvmlDeviceGetMigDeviceHandleByIndex", dict(enumerate(gpu["slices"])).get(index))

    def nvmlDeviceGetTotalEnergyConsumption(self, _gpu: dict[str, Any]) -> int:  # noqa: N802
        ticks = int(self.now_s() / TICK_S + 1e-9)
        return int(self.answer("nvmlDeviceGetTotalEnergyConsumption", 7_000_000 + ticks * TICK_S * self.power_w * 1e3))

    def nvmlDeviceGetViolationStatus(self, _gpu: dict[str, Any], policy: int) -> SimpleNamespace:  # noqa: N802
        share = self.capped if policy == pynvml.NVML_PERF_POLICY_POWER else 0.0
        held = SimpleNamespace(violationTime=5_000_000_000 + int(self.now_s() * share * 1e9))
        return SimpleNamespace(**vars(self.answer("nvmlDeviceGetViolationStatus", held)))
