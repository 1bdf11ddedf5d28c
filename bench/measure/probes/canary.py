"""A fixed piece of work that no variant touches: it shows whether the machine itself was as fast as before."""

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples

LEAST_SAMPLE_S = 0.02
SAMPLES = 3
BACKLOG = 2.0
"""A device with a queue is held for this multiple of the host's time for the calls, so that they run without a gap."""
MOST_CALLS = 300
"""A queue takes some 1,000 launches. With more, the host waits for the device."""


def seconds_of_each(device: torch.device, clock: Clock) -> Samples:
    """Seconds of a convolution, a matrix product and a copy, in three samples each: metrics canary_*."""
    samples = Samples("canary")
    for metric, work in tasks(device).items():
        run(work, clock, 1)  # warms up
        seconds, host_s = run(work, clock, 1)
        calls = min(MOST_CALLS, math.ceil(LEAST_SAMPLE_S / seconds))
        for index in range(SAMPLES):
            seconds = run(work, clock, calls, BACKLOG * calls * host_s)[0] / calls
            samples.add(metric, seconds, iterations=calls, index=index)
    return samples


def tasks(device: torch.device) -> dict[str, Callable[[], object]]:
    """The three pieces of work by metric, on seeded numbers: about 2 GFLOP, 2 GFLOP, and 64 MiB read and written."""
    source = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=source).to(device)

    x_NCHW, weight_OIHW = numbers(8, 64, 56, 56), numbers(64, 64, 3, 3)
    a_NN, b_NN = numbers(1024, 1024), numbers(1024, 1024)
    from_bytes = numbers(16, 2**20)
    to_bytes = torch.empty_like(from_bytes)
    return {
        "canary_convolution": lambda: F.conv2d(x_NCHW, weight_OIHW, padding=1),
        "canary_matmul": lambda: a_NN @ b_NN,
        "canary_copy": lambda: to_bytes.copy_(from_bytes),
    }


def run(work: Callable[[], object], clock: Clock, calls: int, held_s: float = 0.0) -> tuple[float, float]:
    """Seconds of all `calls`, without gradients: in the device's own order of work, and of the host.

    A device with a queue is held for `held_s` first.
    """
    with torch.no_grad():
        clock.sync()
        clock.hold(held_s)
        start, host_start_s = clock.mark(), clock.host_s()
        for _ in range(calls):
            work()
        end, host_s = clock.mark(), clock.host_s() - host_start_s
        clock.sync()
    seconds = clock.elapsed_s(start, end)
    clock.give_back((start, end))
    return seconds, host_s


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the canary's seconds."""
    return so_far.plus(seconds_of_each(subject.work.device, subject.clock))


probe = Then(name=Probe.CANARY, measure=measure)
