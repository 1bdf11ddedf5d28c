"""Work whose time on the device is known beforehand, by the host's own clock, and layers that do it."""

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

import torch
from torch import nn

from bench.core.header import Counts
from bench.core.variants import Variant
from bench.measure.clock import Clock
from bench.measure.timing.timed import timed_steps
from bench.measure.workload import Inputs, Workload
from nin.train import Setup, Trainer

Work = Callable[[], object]
REPEATS = 5
"""How often a known time is taken; the median counts."""
WARM_S = 0.5
"""How long a device works before its speed is read: an idle chip's clock is low."""


def host_seconds(work: Work, clock: Clock) -> float:
    """Seconds from an idle device until the work is done, by the host's clock."""
    seconds = []
    for _ in range(REPEATS):
        clock.sync()
        start = clock.host_s()
        work()
        clock.sync()
        seconds.append(clock.host_s() - start)
    return median(seconds)


def seconds_of(work: Work, more: Work, clock: Clock) -> float:
    """Seconds of the work that `more` does beyond `work`. Start and wait, which both have, cancel."""
    return host_seconds(more, clock) - host_seconds(work, clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spinning:
    """A device that spins, with its speed by the host's clock."""

    device: torch.device
    cycles_per_s: float

    @classmethod
    def on(cls, device: torch.device, clock: Clock, cycles: int) -> "Spinning":
        """Measure the speed: the difference between a spin and one twice as long. On a CPU, the host waits instead."""
        if device.type != "cuda":
            return cls(device=device, cycles_per_s=1e9)
        warm = cls(device=device, cycles_per_s=1e9)
        warm.spin(WARM_S)
        apart_s = seconds_of(lambda: spin_cycles(cycles), lambda: spin_cycles(2 * cycles), clock)
        return cls(device=device, cycles_per_s=cycles / apart_s)

    def spin(self, seconds: float) -> None:
        """Let the device spin for this long."""
        if self.device.type == "cuda":
            spin_cycles(round(seconds * self.cycles_per_s))
        else:
            wait(seconds)


def spin_cycles(cycles: int) -> None:
    """Let the CUDA device spin for this many of its cycles."""
    torch.cuda._sleep(cycles)  # noqa: SLF001 - torch has no other work of known length


def wait(seconds: float) -> None:
    """Keep the host busy for this long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """A chain of matrix products: each takes the result of the one before."""

    a_NN: torch.Tensor
    out_NN: torch.Tensor
    count: int

    @classmethod
    def lasting(cls, seconds: float, size: int, device: torch.device, clock: Clock) -> "Products":
        """A chain that takes about this long."""
        a_NN = torch.full((size, size), 1 / size, device=device)
        few = cls(a_NN=a_NN, out_NN=a_NN.clone(), count=4)
        few()
        one_s = host_seconds(few, clock) / few.count
        return cls(a_NN=a_NN, out_NN=few.out_NN, count=max(1, math.ceil(seconds / one_s)))

    def __call__(self) -> None:
        """Launch them."""
        x_NN = self.out_NN
        with torch.no_grad():
            for _ in range(self.count):
                x_NN = x_NN @ self.a_NN

    @property
    def flops(self) -> float:
        """Multiplications and additions: 2 N^3 per product."""
        return 2.0 * self.a_NN.shape[0] ** 3 * self.count


class Known(nn.Module):
    """A layer that does known work. The host waits `host_s` before it launches that work."""

    def __init__(self, work: Work, host_s: float, clock: Clock) -> None:
        super().__init__()
        self.work, self.host_s, self.clock = work, host_s, clock

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Do the work; returns x unchanged."""
        if self.host_s:
            self.clock.pause(self.host_s)
        self.work()
        return x


def layer_seconds(work: Work, layers: int, host_s: float, device: torch.device, clock: Clock) -> float:
    """Seconds of a layer of this work by the stamps of training steps: the median over layers and samples."""
    model = nn.Sequential(*(Known(work, host_s, clock) for _ in range(layers)), nn.Flatten(), nn.Linear(16, 10))
    batch = torch.zeros(4, 1, 4, 4, device=device), torch.zeros(4, dtype=torch.long, device=device)
    trainer, batches, none = Trainer(model, Setup(device=device)), itertools.repeat(batch), cast("Any", None)
    variant = Variant(device=device.type)
    trained = Workload(trainer=trainer, batches=batches, variant=variant, loader=none, inputs=Inputs(), seed=0)
    trained.trainer.step(*batch)
    rows = timed_steps(trained, clock, Counts(plain=1, iterations=2, stamped=REPEATS)).stamped.rows
    known = {str(index) for index in range(layers)}
    return float(median(s.value for s in rows if s.layer in known and s.phase == "forward"))
