"""Intel's GPUs, by torch.xpu: written by torch's documentation and source (2.9 to 2.14), never run on such a device.

Their events tell time since torch 2.6 (pytorch/pytorch pull request 134666). A kernel can spin since torch 2.14, on
Xe2 and later (pull request 189527); elsewhere stamps are taken without a backlog.
"""

from functools import cache
from typing import Literal

import torch
from torch.profiler import ProfilerActivity

from bench.core.axes.kind import XPU
from bench.core.facts import Accelerator
from bench.machine.gpus import answer_of
from bench.measure.clock import Clock, EventClock
from bench.measure.devices.backend import DEFAULT_CACHE_BYTES, Backend


class Xpu(Backend):
    """Intel's GPUs."""

    kind = XPU
    timing: Literal["events"] = "events"

    def count(self) -> int:
        """The devices that are visible."""
        return torch.xpu.device_count()

    def built(self) -> bool:
        """Whether it is a torch for Intel's GPUs."""
        return torch.xpu._is_compiled()  # noqa: SLF001 - torch.accelerator knows only one kind

    def described(self, device: torch.device) -> Accelerator | None:
        """Its name, memory, driver and number of compute units."""
        known = torch.xpu.get_device_properties(device)
        return Accelerator(
            kind="xpu",
            name=known.name,
            memory_bytes=known.total_memory,
            driver=known.driver_version,
            compute_units=known.max_compute_units,
            timing=self.timing,
        )

    def clock(self, device: torch.device) -> Clock:
        """A clock of events."""
        return EventClock(device, spins=self.holds(device))

    def synchronise(self, device: torch.device) -> None:
        """Wait for all streams."""
        torch.xpu.synchronize(device)

    def take(self, device: torch.device) -> None:
        """Make it the current device."""
        torch.xpu.set_device(device.index or 0)

    def holds(self, device: torch.device) -> bool:
        """Whether this torch and this device have a kernel that spins."""
        return spins(device.index or 0)

    def reset_peaks(self, device: torch.device) -> bool:
        """Reset the allocator's peaks once the device is idle."""
        torch.xpu.synchronize(device)
        torch.xpu.reset_peak_memory_stats(device)
        return True

    def allocated_peak_bytes(self, device: torch.device) -> int | None:
        """The allocator's own peak."""
        return torch.xpu.max_memory_allocated(device) or None

    def reserved_peak_bytes(self, device: torch.device) -> int | None:
        """The allocator's own peak."""
        return torch.xpu.max_memory_reserved(device) or None

    def held_bytes(self, device: torch.device) -> int | None:
        """What all processes hold of the device; None if its driver does not tell what is free."""
        answer: tuple[int, int] | None = answer_of(torch.xpu.mem_get_info, device)
        return None if answer is None else answer[1] - answer[0]

    def limit(self, device: torch.device, limit_bytes: int) -> bool:
        """Limit what torch's allocator may take, which torch can since 2.10 (pull request 165510)."""
        set_fraction = getattr(torch.xpu, "set_per_process_memory_fraction", None)
        if set_fraction is None:
            return False
        total = torch.xpu.get_device_properties(device).total_memory
        set_fraction(min(1.0, limit_bytes / total), device)
        return True

    def name(self, device: torch.device) -> str:
        """The card's name."""
        return torch.xpu.get_device_name(device)

    def cache_bytes(self, device: torch.device) -> int:
        """The size of its last cache, which earlier torches do not tell."""
        known = getattr(torch.xpu.get_device_properties(device), "last_level_cache_size", 0)
        return int(known) or DEFAULT_CACHE_BYTES

    @property
    def activities(self) -> tuple[ProfilerActivity, ...]:
        """Kernels and copies."""
        return (ProfilerActivity.XPU,)


@cache
def spins(index: int) -> bool:
    """Whether a device can spin: torch before 2.14 has no such function, and it refuses devices before Xe2."""
    try:
        with torch.xpu.device(index):
            torch.xpu._sleep(1)  # noqa: SLF001 - torch has no other way to keep it busy
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return True
