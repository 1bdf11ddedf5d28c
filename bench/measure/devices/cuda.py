"""CUDA devices: events, and all that NVML and torch's allocator tell."""

from types import ModuleType

import torch
from torch.profiler import ProfilerActivity

from bench.core.axes.kind import CUDA
from bench.core.axes.place import Capability
from bench.measure.clock import Clock, EventClock
from bench.measure.devices.backend import Backend
from bench.measure.system.nvml import Gpu


class Cuda(Backend):
    """CUDA devices."""

    kind, timing = CUDA, "events"

    def count(self) -> int:
        """The devices that are visible."""
        return torch.cuda.device_count()

    def missing(self, device: torch.device) -> str:
        """Why torch has no such device; a device that torch counts and can't use is none."""
        if (device.index or 0) < self.count():
            return ""
        return f"no device {device}" if torch.cuda.is_available() else "no CUDA device"

    def clock(self, device: torch.device) -> Clock:
        """A clock of events."""
        return EventClock(device)

    def synchronise(self, device: torch.device) -> None:
        """Wait for all streams."""
        torch.cuda.synchronize(device)

    def take(self, device: torch.device) -> None:
        """Make it the current device."""
        torch.cuda.set_device(device.index or 0)

    def holds(self, device: torch.device) -> bool:  # noqa: ARG002
        """True: a kernel can spin."""
        return True

    def reset_peaks(self, device: torch.device) -> bool:
        """Reset the allocator's peaks once the device is idle."""
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return True

    def allocated_peak_bytes(self, device: torch.device) -> int | None:
        """The allocator's own peak."""
        return torch.cuda.max_memory_allocated(device)

    def reserved_peak_bytes(self, device: torch.device) -> int | None:
        """The allocator's own peak."""
        return torch.cuda.max_memory_reserved(device)

    def held_bytes(self, device: torch.device) -> int | None:
        """By NVML; if it does not know the process, as in many containers, what all processes hold of the device."""
        free, total = torch.cuda.mem_get_info(device)
        return Gpu(device).used_bytes() or total - free

    def limit(self, device: torch.device, limit_bytes: int) -> bool:
        """Limit what torch's allocator may take."""
        index = device.index or 0
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total), index)
        return True

    def name(self, device: torch.device) -> str:
        """The card's name."""
        return torch.cuda.get_device_name(device)

    def capability(self, device: torch.device) -> Capability | None:
        """Its compute capability."""
        return torch.cuda.get_device_capability(device)

    def gpu(self, device: torch.device) -> Gpu | None:
        """NVML's answers."""
        return Gpu(device)

    def cache_bytes(self, device: torch.device) -> int:
        """The size of its L2 cache."""
        return int(torch.cuda.get_device_properties(device).L2_cache_size)

    @property
    def activities(self) -> tuple[ProfilerActivity, ...]:
        """Kernels and copies."""
        return (ProfilerActivity.CUDA,)

    @property
    def history(self) -> ModuleType | None:
        """torch.cuda.memory."""
        return torch.cuda.memory
