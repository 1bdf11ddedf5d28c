"""What NVML, NVIDIA's management library, reports of one CUDA device: each answer by itself, None if it gives none."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from bench.machine.gpus import answer_of, nvml

Answer = TypeVar("Answer")

IDLE = 0x1
"""The bit of NVML for a clock that is low because the device has no work."""


class Gpu:
    """One device. NVML knows it by the UUID that torch reports. It is opened once, since opening takes time."""

    def __init__(self, device: torch.device) -> None:
        self._nvml, self._handle = open_device(device)

    def clock_hz(self) -> float | None:
        """The clock of the multiprocessors."""
        return self._answer(lambda nvml, gpu: 1e6 * nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM))

    def temperature_c(self) -> float | None:
        """The temperature of the chip."""
        return self._answer(lambda nvml, gpu: float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)))

    def power_w(self) -> float | None:
        """The power of the whole board; newer devices report the mean of the last second."""
        return self._answer(lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3)

    def throttle_reasons(self) -> int | None:
        """Why the clock is held back at this moment: NVML's bits without `idle`."""
        reasons = self._answer(lambda nvml, gpu: int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu)))
        if reasons is None:  # a driver or an nvidia-ml-py that knows only the older name
            reasons = self._answer(lambda nvml, gpu: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)))
        return None if reasons is None else reasons & ~IDLE

    def power_violation_ns(self) -> int | None:
        """For how long the clock was held back by the power limit, since the driver began to count."""
        return self._answer(
            lambda nvml, gpu: int(nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_POWER).violationTime)
        )

    def thermal_violation_ns(self) -> int | None:
        """For how long the clock was held back by heat, since the driver began to count."""
        return self._answer(
            lambda nvml, gpu: int(nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_THERMAL).violationTime)
        )

    def energy_mj(self) -> int | None:
        """The energy of the whole board since the driver was loaded. It moves in steps, on an H100 every 0.1 s."""
        return self._answer(lambda nvml, gpu: int(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)))

    def ecc(self) -> bool | None:
        """Whether the device's memory corrects errors now, which costs bandwidth on some boards."""
        modes = self._answer(lambda nvml, gpu: nvml.nvmlDeviceGetEccMode(gpu))
        return None if modes is None else bool(modes[0])  # the second is the mode after the next start

    def used_bytes(self) -> int | None:
        """Bytes of the device's memory that this process holds; None if it has another number outside its container."""
        running = self._answer(lambda nvml, gpu: nvml.nvmlDeviceGetComputeRunningProcesses(gpu)) or []
        return next((process.usedGpuMemory for process in running if process.pid == os.getpid()), None)

    def _answer(self, ask: Callable[[Any, Any], Answer]) -> Answer | None:
        """The answer to one question; None if the device was not opened, or NVML does not know the answer."""
        answer: Answer | None = None if self._handle is None else answer_of(ask, self._nvml, self._handle)
        return answer


def open_device(device: torch.device) -> tuple[Any, Any]:
    """NVML's module and its handle of a device, which may be a MIG slice; without a handle, None."""
    library, uuid = nvml(), answer_of(lambda: torch.cuda.get_device_properties(device).uuid)
    if library is None or uuid is None:
        return None, None
    handles = (answer_of(library.nvmlDeviceGetHandleByUUID, f"{kind}-{uuid}") for kind in ("GPU", "MIG"))
    return library, next((handle for handle in handles if handle is not None), None)
