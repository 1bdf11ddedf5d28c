"""Apple's GPUs, by Metal: written by torch's documentation and source (2.9 to 2.14), never run on such a device.

torch has events for them. Up to pytorch/pytorch pull request 196395 (September 2026) an event's time was that of a
callback on the host, so two events close to each other could come in the wrong order, and reading one could hang. So
the host's clock is read, after a wait for the device: a part of a step then holds the wait as well.

There is no type with 64 bits: a tensor is first copied to the CPU, then widened (`calculation.exactly`).
"""

from typing import Literal

import torch

from bench.core.axes.kind import MPS
from bench.core.facts import Accelerator
from bench.machine.gpus import answer_of
from bench.measure.clock import Clock, SyncedClock
from bench.measure.devices.backend import Backend


class Mps(Backend):
    """Apple's GPU: a machine has one."""

    kind = MPS
    timing: Literal["synchronised"] = "synchronised"

    def count(self) -> int:
        """One, if torch can use it."""
        return int(torch.backends.mps.is_available())

    def built(self) -> bool:
        """Whether it is a torch for macOS that has Metal."""
        return torch.backends.mps.is_built()

    def described(self, device: torch.device) -> Accelerator | None:
        """Its name and cores, as far as this torch tells them, and the memory that Metal recommends."""
        return Accelerator(
            kind="mps",
            name=self.name(device),
            memory_bytes=torch.mps.recommended_max_memory() or None,
            compute_units=answer_of(lambda: torch.backends.mps.get_core_count()),  # noqa: PLW0108 - older torches lack it
            timing=self.timing,
        )

    def clock(self, device: torch.device) -> Clock:
        """The host's clock, which waits for the device at every stamp."""
        return SyncedClock(lambda: self.synchronise(device))

    def synchronise(self, device: torch.device) -> None:  # noqa: ARG002 - there is one
        """Wait for all that was given to it."""
        torch.mps.synchronize()

    def reset_peaks(self, device: torch.device) -> bool:
        """Reset the allocator's peaks once the device is idle, if this torch has any."""
        self.synchronise(device)
        answer_of(torch.accelerator.reset_peak_memory_stats)
        return True

    def allocated_peak_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """The allocator's own peak; None in torch before pull request 186748 (June 2026), which had no peak."""
        return answer_of(torch.accelerator.max_memory_allocated) or None

    def reserved_peak_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """The allocator's own peak, as above."""
        return answer_of(torch.accelerator.max_memory_reserved) or None

    def held_bytes(self, device: torch.device) -> int | None:  # noqa: ARG002
        """What Metal has given the process, cached heaps included."""
        return torch.mps.driver_allocated_memory() or None

    def limit(self, device: torch.device, limit_bytes: int) -> bool:  # noqa: ARG002
        """Limit what torch's allocator may take, as a share of what Metal recommends; up to twice that is allowed."""
        torch.mps.set_per_process_memory_fraction(min(2.0, limit_bytes / torch.mps.recommended_max_memory()))
        return True

    def name(self, device: torch.device) -> str:  # noqa: ARG002
        """Metal's name for it, such as that of the chip."""
        name: str | None = answer_of(lambda: torch.backends.mps.get_name())  # noqa: PLW0108 - as above
        return name or MPS.words
