"""A device with a queue, and layers that are launched on it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class QueueClock:
    """A host that launches work and a device that does it in order: a stamp is taken when the device comes to it."""

    host: float = 0.0
    free: float = 0.0
    """When the device is done with all that it was given."""
    held: list[float] = field(default_factory=list)
    waits: bool = False

    def launch(self, host_s: float, device_s: float) -> None:
        """The host takes `host_s` to give the device work of `device_s`."""
        self.host += host_s
        self.free = max(self.host, self.free) + device_s

    def host_s(self) -> float:
        return self.host

    def mark(self) -> float:
        return max(self.host, self.free)

    def sync(self) -> None:
        self.host = max(self.host, self.free)

    def elapsed_s(self, start: float, end: float) -> float:
        return end - start

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)
        self.free = max(self.host, self.free) + seconds

    def reached(self, stamp: float) -> bool:
        return self.host >= stamp

    def pause(self, seconds: float) -> None:
        self.host += seconds

    def give_back(self, _stamps: Iterable[float]) -> None:
        pass


class Launching(nn.Module):
    """A layer that the host takes `host_s` to launch and the device `device_s` to do."""

    def __init__(self, clock: QueueClock, host_s: float, device_s: float) -> None:
        super().__init__()
        self.clock, self.host_s, self.device_s = clock, host_s, device_s

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.clock.launch(self.host_s, self.device_s)
        return x
