"""The CPU: its work is done when a call returns, and the kernel tells what the process holds."""

import resource
from pathlib import Path

import torch

from bench.core.axes.kind import CPU
from bench.measure.clock import Clock, HostClock
from bench.measure.devices.backend import DEFAULT_CACHE_BYTES, Backend

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


class Cpu(Backend):
    """The CPU."""

    kind, timing = CPU, "host"

    def count(self) -> int:
        """One: all processors together."""
        return 1

    def clock(self, device: torch.device) -> Clock:  # noqa: ARG002
        """The host's clock."""
        return HostClock()

    def synchronise(self, device: torch.device) -> None:
        """Nothing to wait for."""

    def reset_peaks(self, device: torch.device) -> bool:  # noqa: ARG002
        """Reset VmHWM (proc(5), clear_refs)."""
        try:
            CLEAR.write_text("5", encoding="utf-8")
        except OSError:
            return False
        return True

    def held_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """VmHWM; None if the system does not report it."""
        try:
            status = STATUS.read_text(encoding="utf-8")
        except OSError:
            return None
        kibibytes = next((s.split()[1] for s in status.splitlines() if s.startswith("VmHWM")), None)
        return None if kibibytes is None else int(kibibytes) * 1024

    def limit(self, device: torch.device, limit_bytes: int) -> bool:  # noqa: ARG002
        """Limit what the process may map to write (RLIMIT_DATA, getrlimit(2)).

        So an allocation fails before the kernel kills a process.
        """
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
        return True

    def name(self, device: torch.device) -> str:  # noqa: ARG002
        """cpu: a run is of one machine."""
        return "cpu"

    def cache_bytes(self, device: torch.device) -> int:  # noqa: ARG002
        """The largest cache that the kernel tells of a processor."""
        sizes = []
        for path in CACHES.glob("index*/size"):
            text = path.read_text(encoding="ascii").strip()
            sizes.append(int(text.rstrip("KMG")) * {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1], 1))
        return max(sizes, default=DEFAULT_CACHE_BYTES)
