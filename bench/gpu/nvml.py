"""What NVML, the driver's own library, tells of a CUDA device; None for what it does not."""

import os
from collections.abc import Callable
from typing import Any

import torch


def asked(question: Callable[[Any], Any], device: torch.device) -> Any:  # noqa: ANN401 - as NVML answers
    """The answer to a question put to NVML's module and its handle of the device; None where there is none."""
    try:
        import pynvml  # noqa: PLC0415 - nvidia-ml-py

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return question(Device(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)))
    except Exception:  # noqa: BLE001 - NVML's errors differ by driver; what it does not tell is not known
        return None


class Device:
    """NVML's calls on one device: `nvmlDeviceGetX(handle, ...)` is `get("X", ...)`."""

    def __init__(self, module: Any, handle: Any) -> None:  # noqa: ANN401 - NVML's
        self.module, self.handle = module, handle

    def get(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - as NVML answers
        """The answer of one call."""
        return getattr(self.module, f"nvmlDeviceGet{name}")(self.handle, *arguments)


def driver_version() -> str | None:
    """The driver's version, whether torch can use its devices or not; None where NVML finds no driver."""
    try:
        import pynvml  # noqa: PLC0415 - nvidia-ml-py

        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except Exception:  # noqa: BLE001 - as above
        return None


def told(device: torch.device, name: str, *arguments: object) -> Any:  # noqa: ANN401 - as NVML answers
    """What one of NVML's calls tells of the device; None where it does not."""
    return asked(lambda nvml: nvml.get(name, *arguments), device)


def facts(device: torch.device) -> dict[str, object]:
    """What the device is and how it is set."""
    limit_mw = told(device, "EnforcedPowerLimit")
    clock_mhz = asked(lambda nvml: nvml.get("MaxClockInfo", nvml.module.NVML_CLOCK_SM), device)
    return {
        "driver": driver_version(),
        "power limit, enforced (W)": None if limit_mw is None else limit_mw / 1000,
        "highest SM clock (MHz)": clock_mhz,
        "ECC": on_or_off(told(device, "EccMode")),
        "MIG": on_or_off(told(device, "MigMode")),
    }


def under_load(device: torch.device) -> dict[str, object]:
    """Clock, power and what holds the clock back: to be asked while the device works."""
    power_mw = told(device, "PowerUsage")
    names = ("CurrentClocksEventReasons", "CurrentClocksThrottleReasons")  # the older one goes in CUDA 14
    reasons = next((bits for name in names if (bits := told(device, name)) is not None), None)
    return {
        "SM clock under load (MHz)": asked(lambda nvml: nvml.get("ClockInfo", nvml.module.NVML_CLOCK_SM), device),
        "power under load (W)": None if power_mw is None else power_mw / 1000,
        "what holds the clock back under load (NVML's bits)": None if reasons is None else hex(reasons),
    }


def on_or_off(told: list[int] | None) -> str | None:
    """A mode that is set now, the first of NVML's two answers."""
    return None if told is None else "on" if told[0] else "off"


def other_processes(device: torch.device) -> int | None:
    """How many other processes compute on the device: asked while this one does.

    One of those that NVML finds is this one, under a number that may be another than its own in a container.
    """
    found = told(device, "ComputeRunningProcesses")
    return None if found is None else max(0, len(found) - 1)


def used_bytes(device: torch.device) -> int | None:
    """What this process has of the device's memory; None where NVML does not find it, as in some containers."""
    found = told(device, "ComputeRunningProcesses") or []
    return next((process.usedGpuMemory for process in found if process.pid == os.getpid()), None)
