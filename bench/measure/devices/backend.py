"""What measuring asks of a device. Each kind of device answers in a file of its own; `of` finds the answers."""

from abc import ABC, abstractmethod
from types import ModuleType
from typing import Literal

import torch
from torch.profiler import ProfilerActivity

from bench.core.axes.kind import Kind
from bench.core.axes.place import Capability
from bench.core.facts import Accelerator
from bench.measure.clock import Clock
from bench.measure.system.nvml import Gpu

Timing = Literal["host", "events", "synchronised"]
DEFAULT_CACHE_BYTES = 64 * 2**20
"""The size assumed for a last cache of unknown size."""


class Backend(ABC):
    """A kind of device. What it does not know is None, never 0.

    A member that is no abstract method has the answer of a device of which nothing more is known.
    """

    kind: Kind
    timing: Timing
    """How the parts of a step are timed: by the host's clock, by the device's events, or by the host after a wait."""

    @abstractmethod
    def count(self) -> int:
        """How many devices of the kind torch sees."""

    @abstractmethod
    def clock(self, device: torch.device) -> Clock:
        """The clock for work on a device."""

    @abstractmethod
    def synchronise(self, device: torch.device) -> None:
        """Wait until all work given to a device is done."""

    @abstractmethod
    def reset_peaks(self, device: torch.device) -> bool:
        """Let the peaks of memory begin again after all work so far, and return whether that worked."""

    @abstractmethod
    def held_bytes(self, device: torch.device) -> int | None:
        """The memory of a device that this process holds; of the CPU, the most that it held since the reset."""

    @abstractmethod
    def limit(self, device: torch.device, limit_bytes: int) -> bool:
        """Limit the memory that this process may take of a device, and return whether that can be done."""

    @abstractmethod
    def name(self, device: torch.device) -> str:
        """The name of the hardware, as far as torch tells it: results that differ by hardware are stored by it."""

    def built(self) -> bool:
        """Whether torch is built for the kind."""
        return True

    def described(self, device: torch.device) -> Accelerator | None:  # noqa: ARG002
        """The facts of a device that is neither the CPU nor CUDA, for run.json."""
        return None

    def take(self, device: torch.device) -> None:  # noqa: B027 - a kind of which there is one has none to choose
        """Make a device the current one of this thread."""

    def missing(self, device: torch.device) -> str:
        """Why torch has no such device, in words; empty if it has."""
        if (device.index or 0) < self.count():
            return ""
        return f"no device {device}" if self.count() else f"no {self.kind.words} device"

    def holds(self, device: torch.device) -> bool:  # noqa: ARG002 - of some kinds it differs by device
        """Whether a device can be kept busy while the host gives it a whole step."""
        return False

    def allocated_peak_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """The most that torch's allocator had given out of a device's memory since the reset."""
        return None

    def reserved_peak_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """The most that torch's allocator had taken of a device's memory since the reset."""
        return None

    def capability(self, device: torch.device) -> Capability | None:  # noqa: ARG002
        """The compute capability of a CUDA device."""
        return None

    def gpu(self, device: torch.device) -> Gpu | None:  # noqa: ARG002
        """What reports a device's clock, heat and power."""
        return None

    def cache_bytes(self, device: torch.device) -> int:  # noqa: ARG002
        """The size of a device's last cache."""
        return DEFAULT_CACHE_BYTES

    @property
    def activities(self) -> tuple[ProfilerActivity, ...]:
        """What torch.profiler records of the device's own work; nothing if it sees none of it."""
        return ()

    @property
    def history(self) -> ModuleType | None:
        """The module that records what torch's allocator did, for pytorch.org/memory_viz."""
        return None
