"""How many steps a trial takes, and its plain steps, which are timed without any instrument."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from msgspec.structs import replace

from bench.core.header import Counts
from bench.measure.clock import Clock
from bench.measure.queue import steady
from bench.measure.samples import Samples
from bench.measure.system import rapl
from bench.measure.system.usage import Usage, usage
from bench.measure.timing.stamps import BACKLOG
from bench.measure.workload import Workload

LONG_STEP_S = 1.0
"""From here on one step is one sample, and the first step is warm-up enough."""
SLOW_STEP_S = 8.0
"""From here on a trial takes one plain step and no stamped one."""
LEAST_SAMPLE_S = 0.1
MOST_ITERATIONS = 100
MOST_STEPS = 250
"""The most steps that more samples of one kind lead to: training that goes on and on may diverge."""
MEASURED_S = 1.0
"""If a step is short, the samples of each kind take this long together. Within a trial a single sample of 0.1 s may be
far off: on two shared cores samples of a trial had a standard deviation of 12 %. Medians of eight of them spread
half as far from trial to trial as single ones."""
DISPATCHES = 5
"""How often the time of launching a step is taken: a single one may be disturbed."""
SHORT_WARMUP = 5
"""How many steps a short step takes to settle."""
WARM_S = 0.5
"""How long a GPU works at least before it is timed: its clock takes a while to rise, or to be held back."""


def calibrate(work: Workload, clock: Clock, first_s: float, plain: int, stamped: int) -> Counts:
    """The counts of a trial of this variant: if a step is long, the given ones.

    If a step is short, a sample averages several until it lasts 0.1 s, and there are as many samples as fit into a
    second. The time behind a backlog counts as a stamped step's. Of several ranks the slowest decides.
    """
    step_s = work.peers.most(first_s)
    turns = work.workers if steady(work, clock) else 1
    if not first_tells(work) or step_s < LONG_STEP_S:
        for _ in range(2):
            step_s = work.peers.most(synced_s(work, clock, turns))
    if step_s >= SLOW_STEP_S:
        return Counts(plain=1, stamped=0).in_turns(turns)
    if step_s >= LONG_STEP_S:
        return Counts(warmup=0 if work.eager else 1, plain=plain, stamped=stamped).in_turns(turns)
    iterations = max(1, min(MOST_ITERATIONS, math.ceil(LEAST_SAMPLE_S / step_s)))
    counts = Counts(warmup=SHORT_WARMUP if iterations > 1 else 1, iterations=iterations).in_turns(turns)
    affordable = min(MOST_STEPS, MEASURED_S / step_s) / counts.iterations
    stamped_cost = 1 + BACKLOG if work.queues else 1
    return replace(counts, plain=max(plain, round(affordable)), stamped=max(stamped, round(affordable / stamped_cost)))


def first_tells(work: Workload) -> bool:
    """Whether a first step says how long the next takes: not if it compiles, starts workers or wakes a GPU."""
    return work.eager and work.device.type == "cpu" and not work.workers


def synced_s(work: Workload, clock: Clock, count: int) -> float:
    """Seconds a step, as the mean of `count` in a row with a wait for the device before and after."""
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
    """The counts of steps to take after it: those given, in whole turns of the workers if steps wait for them.

    It brings a loader's queue to its steady state, and takes the steps that a short step needs to settle. On a GPU it
    takes more, until WARM_S has passed. It waits for the device after every few of them, as a sample does: the host may
    be far ahead of the device, so its own time says little of how long the device worked.
    """
    turns = work.workers if steady(work, clock) else 1
    start = clock.host_s()
    for _ in range(counts.warmup):
        take_step(work)
    while work.kind.accelerates and work.peers.most(clock.host_s() - start) < WARM_S:
        for _ in range(counts.iterations):
            take_step(work)
        clock.sync()
    return counts.in_turns(turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One plain sample: the means of its steps."""

    wall_s: float
    """Seconds a step of the host's clock, the loader included."""
    iterations: int
    device_s: float | None = None
    """On a device with events, seconds a step between those at the region's ends; else None."""
    used: Usage | None = None
    """On the CPU, of a step; else None."""
    energy_j: float | None = None
    """On the CPU, joules a step of the chip's packages; None if nobody may read them."""


def plain_steps(work: Workload, clock: Clock, counts: Counts) -> Samples:
    """`counts.plain` plain samples in a row, and then the seconds that dispatch takes."""
    samples = plain_samples([plain_sample(work, clock, counts.iterations) for _ in range(counts.plain)])
    samples.add_all([dispatches(work, clock)])
    return samples


def plain_sample(work: Workload, clock: Clock, iterations: int) -> Plain:
    """The means of `iterations` steps."""
    packages = rapl.packages() if work.device.type == "cpu" else ()
    clock.sync()
    energy, before, start = rapl.counted(packages), usage(), clock.host_s()
    began = None if clock.waits else clock.mark()
    for _ in range(iterations):
        take_step(work)
    ended = None if clock.waits else clock.mark()
    clock.sync()
    wall_s, after = clock.host_s() - start, usage()
    if not work.kind.accelerates:
        used_j = rapl.joules(packages, energy, rapl.counted(packages))
        return Plain(
            wall_s=wall_s / iterations, iterations=iterations, used=(after - before) / iterations,
            energy_j=None if used_j is None else used_j / iterations,
        )  # fmt: skip
    if began is None or ended is None:  # the device has no time of its own
        return Plain(wall_s=wall_s / iterations, iterations=iterations)
    device_s = clock.elapsed_s(began, ended)
    clock.give_back((began, ended))
    return Plain(wall_s=wall_s / iterations, iterations=iterations, device_s=device_s / iterations)


def plain_samples(measured: Iterable[Plain], probe: str = "steps") -> Samples:
    """Seconds a step (wall); on the CPU its CPU seconds, page faults, switches and energy too, else the device's.

    A device without events has no seconds of its own.
    """
    samples = Samples(probe)
    for index, plain in enumerate(measured):
        samples.add("wall", plain.wall_s, iterations=plain.iterations, index=index)
        if plain.device_s is not None:
            samples.add("device", plain.device_s, iterations=plain.iterations, index=index)
        if plain.energy_j is not None:
            samples.add("package_energy", plain.energy_j, iterations=plain.iterations, index=index)
        for name, value in asdict(plain.used).items() if plain.used else ():
            samples.add(name, value, iterations=plain.iterations, index=index)
    return samples


def dispatches(work: Workload, clock: Clock) -> Samples:
    """How long the host takes to give a GPU one step's work, from an idle start, five times (dispatch)."""
    samples = Samples("steps")
    if work.kind.accelerates and not work.waits:
        for index in range(DISPATCHES):
            samples.add("dispatch", dispatch_s(work, clock), index=index)
    return samples


def dispatch_s(work: Workload, clock: Clock) -> float:
    """Seconds until the host has given an idle device all the work of one step, its batch included."""
    clock.sync()
    start = clock.host_s()
    take_step(work)
    seconds = clock.host_s() - start
    clock.sync()
    return seconds
