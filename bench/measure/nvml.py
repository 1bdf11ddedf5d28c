"""What NVML, NVIDIA's management library, tells of one CUDA device: each answer by itself, None where it gives none."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch

Answer = TypeVar("Answer", int, float)

IDLE = 0x1
"""The reason for a low clock that says nothing of work: the device had none."""


class Gpu:
    """One device, found by the UUID that torch has for it, and opened once: opening takes time."""

    def __init__(self, device: torch.device) -> None:
        self._nvml, self._handle = opened(device)

    def clock_hz(self) -> float | None:
        """The clock of the multiprocessors."""
        return self._told(lambda nvml, gpu: 1e6 * nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM))

    def temperature_c(self) -> float | None:
        """The temperature of the chip."""
        return self._told(lambda nvml, gpu: float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)))

    def power_w(self) -> float | None:
        """The power of the whole board; newer devices tell the mean of the last second."""
        return self._told(lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3)

    def throttle_reasons(self) -> int | None:
        """Why the clock is held back at this moment: NVML's bits without `idle`."""
        reasons = self._told(lambda nvml, gpu: int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu)))
        if reasons is None:  # a driver or an nvidia-ml-py that knows the older name alone
            reasons = self._told(lambda nvml, gpu: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)))
        return None if reasons is None else reasons & ~IDLE

    def power_violation_ns(self) -> int | None:
        """For how long the clock was held back by the power limit, since the driver began to count."""
        return self._told(
            lambda nvml, gpu: int(nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_POWER).violationTime)
        )

    def thermal_violation_ns(self) -> int | None:
        """For how long the clock was held back by heat, since the driver began to count."""
        return self._told(
            lambda nvml, gpu: int(nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_THERMAL).violationTime)
        )

    def energy_mj(self) -> int | None:
        """The energy of the whole board since the driver was loaded. It moves in steps, on an H100 every 0.1 s."""
        return self._told(lambda nvml, gpu: int(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)))

    def _told(self, ask: Callable[[Any, Any], Answer]) -> Answer | None:
        """The answer to one question; None where NVML was not opened, does not know it, or does not tell."""
        if self._handle is None:
            return None
        try:
            return ask(self._nvml, self._handle)
        except Exception:  # noqa: BLE001 - NVML's errors differ by driver; the trial goes on without
            return None


def opened(device: torch.device) -> tuple[Any, Any]:
    """NVML's module and its handle of a device; None for both where there is no NVML, or no such device."""
    try:
        import pynvml  # noqa: PLC0415 - nvidia-ml-py

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except Exception:  # noqa: BLE001 - as above
        return None, None
