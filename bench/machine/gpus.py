"""What NVIDIA's driver tells of the GPUs of a machine: its version, their limits, and who else uses them."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = Path("/proc/driver/nvidia/version")
"""What the kernel's module says of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What NVML tells of a GPU; None for what it does not tell."""

    power_limit_w: float | None = None
    max_sm_clock_hz: float | None = None
    mig: bool | None = None
    processes: int | None = None
    """How many processes use it."""


def nvml() -> ModuleType | None:
    """NVML, begun; None if it is not there or the driver does not answer."""
    try:
        library = importlib.import_module("pynvml")  # of nvidia-ml-py, and only when it is asked for
        library.nvmlInit()
    except Exception:  # noqa: BLE001 - its errors differ by driver; what is not told is blank
        return None
    return library


def told(question: Callable[..., Any], *about: object) -> Any:  # noqa: ANN401 - as it is asked
    """NVML's answer; None if it gives none."""
    try:
        return question(*about)
    except Exception:  # noqa: BLE001 - as above
        return None


def driver(library: ModuleType | None) -> str | None:
    """The version of the driver, by NVML or else by the kernel's module; None if there is neither."""
    found: str | None = told(library.nvmlSystemGetDriverVersion) if library else None
    return found or module_version()


def module_version() -> str | None:
    """The version of the kernel's module; None if it is not loaded (or is WSL2's, which only NVML tells)."""
    try:
        first = MODULE.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return None
    match = re.search(r"\d+(?:\.\d+)+", first)
    return match[0] if match else None


def by_uuid(library: ModuleType | None) -> dict[str, Facts]:
    """What NVML tells of each GPU, under its UUID and those of its MIG slices, as torch has them: without a prefix."""
    found: dict[str, Facts] = {}
    if library is None:
        return found
    for index in range(told(library.nvmlDeviceGetCount) or 0):
        if (handle := told(library.nvmlDeviceGetHandleByIndex, index)) is None:
            continue
        facts = facts_of(library, handle)
        for part in (handle, *slices(library, handle)):
            uuid = told(library.nvmlDeviceGetUUID, part) or ""
            found[re.sub("^(GPU|MIG)-", "", uuid)] = facts
    return found


def slices(library: ModuleType, handle: object) -> Iterator[object]:
    """The MIG slices of a GPU; none if it is whole."""
    for index in range(told(library.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        if (part := told(library.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)) is not None:
            yield part


def facts_of(library: ModuleType, handle: object) -> Facts:
    """A GPU's power limit, top clock and MIG mode, and how many processes use it; None for what is not told."""
    limit_mw = told(library.nvmlDeviceGetEnforcedPowerLimit, handle)
    clock_mhz = told(library.nvmlDeviceGetMaxClockInfo, handle, library.NVML_CLOCK_SM)
    mode = told(library.nvmlDeviceGetMigMode, handle)
    running = told(library.nvmlDeviceGetComputeRunningProcesses, handle)
    drawing = told(library.nvmlDeviceGetGraphicsRunningProcesses, handle) or []
    return Facts(
        power_limit_w=None if limit_mw is None else limit_mw / 1e3,
        max_sm_clock_hz=None if clock_mhz is None else clock_mhz * 1e6,
        mig=None if mode is None else mode[0] == library.NVML_DEVICE_MIG_ENABLE,
        processes=None if running is None else len({process.pid for process in [*running, *drawing]}),
    )
