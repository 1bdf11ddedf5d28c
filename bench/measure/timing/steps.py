"""How many steps a trial takes, and its plain ones: timed without any instrument."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bench.core.header import Counts
from bench.measure.clock import Clock
from bench.measure.queue import steady
from bench.measure.samples import Samples
from bench.measure.system.usage import Usage, usage
from bench.measure.workload import Workload

LONG_STEP_S = 1.0
"""From here on one step is one sample, and the first step is warm-up enough."""
SLOW_STEP_S = 8.0
"""From here on a trial takes one plain step and no stamped one."""
LEAST_SAMPLE_S = 0.1
MOST_ITERATIONS = 100
MOST_STAMPED = 20
DISPATCHES = 5
"""How often the time of giving the device a step is taken: one may be spoilt."""
SHORT_WARMUP = 5
"""Steps that a short step is given to settle."""
WARM_S = 0.5
"""How long a CUDA device works at least before it is timed: its clock takes a while to rise, and to be held back."""


def calibrate(work: Workload, clock: Clock, first_s: float, plain: int, stamped: int) -> Counts:
    """How many steps a trial of this variant takes: the given ones where a step is long.

    A short step is averaged until a sample lasts 0.1 s, and stamped more often.
    """
    step_s = first_s
    turns = work.workers if steady(work, clock) else 1
    # A first step that compiles, starts workers or wakes a GPU tells nothing of the next.
    telling = work.eager and work.device.type == "cpu" and not work.workers
    if not telling or first_s < LONG_STEP_S:
        for _ in range(2):
            step_s = synced_s(work, clock, turns)
    if step_s >= SLOW_STEP_S:
        return Counts(plain=1, stamped=0).in_turns(turns)
    if step_s >= LONG_STEP_S:
        return Counts(warmup=0 if work.eager else 1, plain=plain, stamped=stamped).in_turns(turns)
    iterations = max(1, min(MOST_ITERATIONS, math.ceil(LEAST_SAMPLE_S / step_s)))
    return Counts(
        warmup=SHORT_WARMUP if iterations > 1 else 1,
        plain=plain,
        iterations=iterations,
        stamped=max(stamped, math.ceil(min(MOST_STAMPED, iterations) / turns)),
    ).in_turns(turns)


def synced_s(work: Workload, clock: Clock, count: int) -> float:
    """Seconds a step of `count` in a row, the device waited for before and after."""
    clock.sync()
    start = clock.host_s()
    for _ in range(count):
        take_step(work)
    clock.sync()
    return (clock.host_s() - start) / count


def take_step(work: Workload) -> None:
    """Fetch a batch and train on it."""
    work.trainer.step(*next(work.batches))


def first_step_s(work: Workload, clock: Clock) -> float:
    """Seconds of the first step, compilation and worker start included."""
    start = clock.host_s()
    take_step(work)
    clock.sync()
    return clock.host_s() - start


def warm_up(work: Workload, clock: Clock, counts: Counts) -> Counts:
    """How many steps to take behind it: those given, in whole turns of the workers where steps wait for them.

    It brings a loader's queue to its steady state, then takes the steps that a short step needs to settle; on CUDA as
    many more as WARM_S takes. There it waits for the device behind every few, as a sample does: the host may be far
    ahead of it, and what the host takes says little of the device.
    """
    turns = work.workers if steady(work, clock) else 1
    start = clock.host_s()
    for _ in range(counts.warmup):
        take_step(work)
    while work.device.type == "cuda" and clock.host_s() - start < WARM_S:
        for _ in range(counts.iterations):
            take_step(work)
        clock.sync()
    return counts.in_turns(turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One plain sample: the means of its steps."""

    wall_s: float
    """The loader included."""
    iterations: int
    device_s: float | None = None
    """On CUDA, between events at the region's ends."""
    used: Usage | None = None
    """On the CPU."""


def plain_steps(work: Workload, clock: Clock, counts: Counts) -> Samples:
    """So many plain samples in a row, and behind them what dispatch takes."""
    samples = plain_samples([plain_sample(work, clock, counts.iterations) for _ in range(counts.plain)])
    samples.add_all([dispatches(work, clock)])
    return samples


def plain_sample(work: Workload, clock: Clock, iterations: int) -> Plain:
    """The means of `iterations` steps."""
    clock.sync()
    before, start = usage(), clock.host_s()
    began = clock.mark()
    for _ in range(iterations):
        take_step(work)
    ended = clock.mark()
    clock.sync()
    wall_s, after = clock.host_s() - start, usage()
    if work.device.type != "cuda":
        return Plain(wall_s=wall_s / iterations, iterations=iterations, used=(after - before) / iterations)
    device_s = clock.elapsed_s(began, ended)
    clock.give_back((began, ended))
    return Plain(wall_s=wall_s / iterations, iterations=iterations, device_s=device_s / iterations)


def plain_samples(found: Iterable[Plain], probe: str = "steps") -> Samples:
    """Seconds a step (wall); on the CPU its CPU seconds, page faults and switches too, on CUDA the device's seconds."""
    samples = Samples(probe)
    for index, plain in enumerate(found):
        samples.add("wall", plain.wall_s, iterations=plain.iterations, index=index)
        if plain.device_s is not None:
            samples.add("device", plain.device_s, iterations=plain.iterations, index=index)
        for name, value in asdict(plain.used).items() if plain.used else ():
            samples.add(name, value, iterations=plain.iterations, index=index)
    return samples


def dispatches(work: Workload, clock: Clock) -> Samples:
    """How long the host takes to give a CUDA device one step's work, from an idle start, five times (dispatch)."""
    samples = Samples("steps")
    if work.device.type == "cuda" and not work.waits:
        for index in range(DISPATCHES):
            samples.add("dispatch", dispatch_s(work, clock), index=index)
    return samples


def dispatch_s(work: Workload, clock: Clock) -> float:
    """Seconds until the host has given an idle device all work of one step, its batch included."""
    clock.sync()
    start = clock.host_s()
    take_step(work)
    seconds = clock.host_s() - start
    clock.sync()
    return seconds
