"""What bounds an epoch: how fast batches come if nothing trains, and how fast a step is if its batch is there."""

import math

from bench.core.exchange.probe import Probe
from bench.measure import queue
from bench.measure.clock import Clock
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.timing.steps import LONG_STEP_S, MOST_ITERATIONS, SLOW_STEP_S
from bench.measure.workload import Workload

LEAST_SAMPLE_S = 0.5
SAMPLES = 3
TRIED = 4
MOST_BATCHES = 200


def rates(work: Workload, clock: Clock, step_s: float) -> Samples:
    """Seconds a batch of the loader alone, and of the step alone on one batch that is on the device already."""
    samples = Samples("loader")
    batches_s(work, clock, work.in_advance)
    turn = max(1, work.workers)  # workers that began together end together: only whole turns give their mean
    tried = turn * math.ceil(TRIED / turn)
    alone_s = max(batches_s(work, clock, tried) / tried, 1e-6)
    count = turn * math.ceil(min(MOST_BATCHES, LEAST_SAMPLE_S / alone_s) / turn)
    for index in range(SAMPLES):
        samples.add("loader_alone", batches_s(work, clock, count) / count, iterations=count, index=index)
    batch = work.trainer.move(*next(work.batches))
    if work.workers:
        queue.fill(work, clock, alone_s)  # else workers that fill it take cores from the step
    count = 1 if step_s >= LONG_STEP_S else max(1, min(MOST_ITERATIONS, math.ceil(LEAST_SAMPLE_S / step_s)))
    for index in range(SAMPLES if step_s < SLOW_STEP_S else 1):
        clock.sync()
        start = clock.host_s()
        for _ in range(count):
            work.trainer.step(*batch)
        clock.sync()
        samples.add("compute_alone", (clock.host_s() - start) / count, iterations=count, index=index)
    return samples


def batches_s(work: Workload, clock: Clock, count: int) -> float:
    """Seconds until `count` batches came: on the device, if the loader makes them there."""
    clock.sync()
    start = clock.host_s()
    for _ in range(count):
        next(work.batches)
    clock.sync()
    return clock.host_s() - start


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and both rates."""
    if subject.work.owns_step:  # it pulls as many batches as it wants, when it wants
        return so_far
    return so_far.plus(rates(subject.work, subject.clock, so_far.step_s))


probe = Then(name=Probe.LOADER, measure=measure, once=True)
