"""What NVIDIA's driver reports of a machine's GPUs: its version, their limits, and who else uses them."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = Path("/proc/driver/nvidia/version")
"""The version that the kernel module reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What NVML reports of a GPU; None for what it does not report."""

    power_limit_w: float | None = None
    max_sm_clock_hz: float | None = None
    mig: bool | None = None
    processes: int | None = None
    """How many processes use it."""


def nvml() -> ModuleType | None:
    """NVML, initialized; None if it is not installed or the driver does not answer."""
    try:
        library = importlib.import_module("pynvml")  # from nvidia-ml-py, and only if it is needed
        library.nvmlInit()
    except Exception:  # noqa: BLE001 - its errors differ by driver; what is not reported is blank
        return None
    return library


def answer_of(question: Callable[..., Any], *about: object) -> Any:  # noqa: ANN401 - each question has its own type
    """NVML's answer; None if it gives none."""
    try:
        return question(*about)
    except Exception:  # noqa: BLE001 - as above
        return None


def driver(library: ModuleType | None) -> str | None:
    """The version of the driver from NVML, or else from the kernel module; None if there is neither."""
    version: str | None = answer_of(library.nvmlSystemGetDriverVersion) if library else None
    return version or module_version()


def module_version() -> str | None:
    """The version of the kernel module; None if it is not loaded, or on WSL2, where NVML alone reports it."""
    try:
        first = MODULE.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return None
    match = re.search(r"\d+(?:\.\d+)+", first)
    return match[0] if match else None


def by_uuid(library: ModuleType | None) -> dict[str, Facts]:
    """What NVML reports of each GPU, by its UUID and those of its MIG slices, without a prefix as torch has them."""
    all_facts: dict[str, Facts] = {}
    if library is None:
        return all_facts
    for index in range(answer_of(library.nvmlDeviceGetCount) or 0):
        if (handle := answer_of(library.nvmlDeviceGetHandleByIndex, index)) is None:
            continue
        facts = facts_of(library, handle)
        for part in (handle, *slices(library, handle)):
            uuid = answer_of(library.nvmlDeviceGetUUID, part) or ""
            all_facts[re.sub("^(GPU|MIG)-", "", uuid)] = facts
    return all_facts


def slices(library: ModuleType, handle: object) -> Iterator[object]:
    """The MIG slices of a GPU; none if it is not divided."""
    for index in range(answer_of(library.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        if (part := answer_of(library.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)) is not None:
            yield part


def facts_of(library: ModuleType, handle: object) -> Facts:
    """A GPU's power limit, top clock, MIG mode, and number of processes; None for what NVML does not report."""
    limit_mw = answer_of(library.nvmlDeviceGetEnforcedPowerLimit, handle)
    clock_mhz = answer_of(library.nvmlDeviceGetMaxClockInfo, handle, library.NVML_CLOCK_SM)
    mode = answer_of(library.nvmlDeviceGetMigMode, handle)
    running = answer_of(library.nvmlDeviceGetComputeRunningProcesses, handle)
    drawing = answer_of(library.nvmlDeviceGetGraphicsRunningProcesses, handle) or []
    return Facts(
        power_limit_w=None if limit_mw is None else limit_mw / 1e3,
        max_sm_clock_hz=None if clock_mhz is None else clock_mhz * 1e6,
        mig=None if mode is None else mode[0] == library.NVML_DEVICE_MIG_ENABLE,
        processes=None if running is None else len({process.pid for process in [*running, *drawing]}),
    )
