"""Do shares of the roof hold? Layers whose share is known are measured by the code that a run measures with.

    python -m benchmarks.limits

A convolution of a shape that suits the chip should take about as long as at the roof of operations, a layer that only
copies as long as at the roof of bytes, and one that waits as long as it works should have half of its share. A product
of matrices shows how far the library's product is from its best convolution, and a copy in new memory what page faults
cost. The whole is repeated, roofs included.
"""

import statistics
import time
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.analyse.tables.roofline import Roofs, at_roof
from bench.core.traces import Owner
from bench.measure.clock import HostClock, Timeline
from bench.measure.timing.layers import stamped
from bench.measure.work.counter import Counter, Work
from bench.measure.work.roofs import measured

REPEATS = 3
STEPS = 9
IMAGES, CHANNELS, WIDER, PIXELS, KERNEL = 16, 128, 256, 28, 5
SIDE = 2048
COPIED = 2**26
"""Numbers that the copy moves: 256 MiB, which no cache holds."""


class Clone(nn.Module):
    """Returns a copy of its input in new memory, which the kernel has to hand out."""

    def forward(self, x: Tensor) -> Tensor:
        """The copy."""
        return x.clone()


class Copy(nn.Module):
    """Returns a copy of its input in memory of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.copied = torch.zeros(COPIED)

    def forward(self, x: Tensor) -> Tensor:
        """The copy."""
        return self.copied.copy_(x)


class Product(nn.Module):
    """Multiplies its input by a square matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(SIDE, SIDE) / SIDE)

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        return x @ self.weight


class Slowed(nn.Module):
    """A convolution that takes twice as long: it waits as long as it computes."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.forward  # no module within, so that all of it is one row

    def forward(self, x: Tensor) -> Tensor:
        """The output, after the wait."""
        began = time.perf_counter()
        y: Tensor = self.inner(x)
        end = 2 * time.perf_counter() - began
        while time.perf_counter() < end:
            pass
        return y


def models() -> dict[str, tuple[nn.Module, Tensor]]:
    """A model of one layer, `0`, for each kind of work, and its input."""
    convolution = nn.Conv2d(CHANNELS, WIDER, KERNEL, padding=KERNEL // 2).to(memory_format=torch.channels_last)
    images = torch.randn(IMAGES, CHANNELS, PIXELS, PIXELS).contiguous(memory_format=torch.channels_last)
    return {
        "convolution": (convolution, images),
        "convolution, slowed twice": (Slowed(convolution), images),
        "product of matrices": (Product(), torch.randn(SIDE, SIDE)),
        "copy": (Copy(), torch.randn(COPIED)),
        "copy in new memory": (Clone(), torch.randn(COPIED)),
    }


def step(model: nn.Module, x: Tensor, timeline: Any) -> None:  # noqa: ANN401 - a timeline, or what counts in its place
    """A forward whose result is read, as by a layer that follows."""
    with torch.no_grad(), stamped(model, timeline):
        timeline.enter(("", "forward"))
        y = model(x)
        timeline.enter(("", "read"))
        y.sum()
        timeline.enter(("", "end"))


def seconds_of(model: nn.Module, x: Tensor) -> float:
    """The median seconds of the layer."""
    taken = []
    for _ in range(STEPS):
        timeline = Timeline(HostClock())
        step(model, x, timeline)
        taken.append(timeline.seconds()["0", "forward"])
    return statistics.median(taken)


def work_of(model: nn.Module, x: Tensor) -> Work:
    """The work of the layer."""
    counter = Counter()
    with counter:
        step(model, x, counter)
    owner: Owner = ("0", "forward")
    return counter.work()[owner]


def roofs_now() -> Roofs:
    """The roofs, measured now."""
    by_metric: dict[str, dict[str, list[float]]] = {}
    for row in measured(torch.device("cpu"), HostClock()).rows:
        by_metric.setdefault(row.metric, {}).setdefault(row.phase, []).append(row.value)
    flops, moved = (
        {name: statistics.median(values) for name, values in by_metric[metric].items()}
        for metric in ("roof_flops", "roof_bytes")
    )
    return Roofs(flops=flops, bytes=moved, spread={})


def main() -> None:
    """Measure everything some times, and print a table."""
    rows = []
    for number in range(1, REPEATS + 1):
        roofs = roofs_now()
        for name, (inner, x) in models().items():
            model = nn.Sequential(inner)
            took_s, work = seconds_of(model, x), work_of(model, x)
            least = at_roof(roofs, ("float32", ""), float(work.flops or 0), 0.0, work.least_bytes)
            rows.append([number, name, f"{1e3 * took_s:.2f} ms", f"{100 * least.seconds / took_s:.0f} %", least.bound])
        print(f"{number}: float32 {roofs.flops['float32'] / 1e9:.0f} GFLOP/s, bytes {roofs.bytes_per_s / 1e9:.1f} GB/s")
    print(tabulate(rows, headers=["repeat", "layer", "takes", "share of the roof", "bound"], tablefmt="github"))


if __name__ == "__main__":
    main()
