"""The probe of steps: plain ones without any instrument, then stamped ones by phase and layer."""

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from statistics import mean

from bench.measure.clock import Clock, Timeline
from bench.measure.layers import queued_stamp_cost_s, stamp_cost_s, stamped
from bench.measure.queue import steady
from bench.measure.samples import Samples
from bench.measure.usage import UNITS, usage
from bench.measure.workload import Workload
from bench.traces import BETWEEN
from nin.train import PHASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many steps a trial takes."""

    warmup: int = 0
    """Steps between the first one and the plain ones."""
    plain: int = 3
    """Plain samples."""
    iterations: int = 1
    """Steps that a plain sample averages: more than one where a step is short."""
    stamped: int = 2
    """Stamped samples."""
    turns: int = 1
    """Steps that a sample of either kind averages at least, and a whole number of times: as many as there are workers
    where steps wait for them. Workers that began together end together, and their batches come in bursts."""

    def __post_init__(self) -> None:
        """Raise ValueError where nothing would be measured."""
        if min(self.plain, self.iterations, self.turns) < 1 or self.warmup < 0 or self.stamped < 0:
            msg = f"a trial needs at least one plain sample of one step, got {self}"
            raise ValueError(msg)

    def in_turns(self, turns: int) -> "Counts":
        """The same, but that a sample averages whole turns of so many steps, and at least the turns it had."""
        turns = max(turns, self.turns)
        return replace(self, iterations=turns * math.ceil(self.iterations / turns), turns=turns)


LONG_STEP_S = 1.0
"""From here on one step is one sample, and the first step is warm-up enough."""
SLOW_STEP_S = 8.0
"""From here on a trial takes one plain step and no stamped one."""
LEAST_SAMPLE_S = 0.1
MOST_ITERATIONS = 100
MOST_STAMPED = 20
DISPATCHES = 5
"""How often the time of giving the device a step is taken: one may be spoilt."""
BACKLOG = 1.5
"""Of the host's time for a stamped step, from an idle start: how long the device is held."""
MOST_MISSES = 3
SHORT_WARMUP = 5
"""Steps that a short step is given to settle."""


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


def first_step(work: Workload, clock: Clock) -> Samples:
    """The first step, compilation and worker start included: metric first_step."""
    samples = Samples("steps")
    start = clock.host_s()
    take_step(work)
    clock.sync()
    samples.add("first_step", "s", clock.host_s() - start, scope="process")
    return samples


def warm_up(work: Workload, clock: Clock, counts: Counts) -> Counts:
    """How many steps to take behind it: those given, in whole turns of the workers where steps wait for them.

    It brings a loader's queue to its steady state, then takes the steps that a short step needs to settle.
    """
    turns = work.workers if steady(work, clock) else 1
    for _ in range(counts.warmup):
        take_step(work)
    return counts.in_turns(turns)


def plain_steps(work: Workload, clock: Clock, counts: Counts) -> Samples:
    """Seconds a step (wall), and on the CPU its CPU seconds, page faults and switches.

    On CUDA also device (between events at the region's ends) and dispatch (how long the host takes
    to give the device one step's work, from an idle start, five times). The wall includes the loader.
    """
    samples = Samples("steps")
    for index in range(counts.plain):
        clock.sync()
        before, start = usage(), clock.host_s()
        began = clock.mark()
        for _ in range(counts.iterations):
            take_step(work)
        ended = clock.mark()
        clock.sync()
        wall_s, after = clock.host_s() - start, usage()
        values = {"wall": (wall_s, "s")}
        if work.device.type == "cuda":
            values["device"] = (clock.elapsed_s(began, ended), "s")
        else:
            used = after - before
            values |= {name: (getattr(used, name), unit) for name, unit in UNITS.items()}
        for metric, (value, unit) in values.items():
            samples.add(metric, unit, value / counts.iterations, iterations=counts.iterations, index=index)
    if work.device.type == "cuda" and not work.waits:
        for index in range(DISPATCHES):
            samples.add("dispatch", "s", dispatch_s(work, clock), index=index)
    return samples


def dispatch_s(work: Workload, clock: Clock) -> float:
    """Seconds until the host has given an idle device all work of one step, its batch included."""
    clock.sync()
    start = clock.host_s()
    take_step(work)
    seconds = clock.host_s() - start
    clock.sync()
    return seconds


def stamped_steps(work: Workload, clock: Clock, count: int, turns: int = 1) -> Samples:
    """Seconds of each phase and, in eager variants, of each layer, from the same stamped steps.

    A sample is one step or, with `turns`, the mean of so many in a row.
    On a device with a queue they are its own seconds, taken behind a backlog (metric backlog, in
    seconds), where the step lets the host run ahead.
    """
    phases, layers = Samples("steps"), Samples("layers")
    timelines, backlog_s = backlogged(work, clock, count) if work.queues else ([], 0.0)
    in_turns = ([stamped_step(work, clock) for _ in range(turns)] for _ in range(count))
    for index, group in enumerate([[timeline] for timeline in timelines] or in_turns):
        phases.add("stamped_wall", "s", mean(timeline.wall_s() for timeline in group), index=index)
        if backlog_s:
            phases.add("backlog", "s", backlog_s, index=index)
        layers.add("stamps", "1", group[0].stamps, index=index)
        add_parts(work, group, index, phases, layers)
    if work.eager:
        phases.add_all([layers])
    return phases


def stamped_step(work: Workload, clock: Clock, backlog_s: float = 0.0) -> Timeline:
    """The stamps of one step, given to an idle device or, with `backlog_s`, to one that is busy for so long."""
    timeline, _, _ = timed_stamps(work, clock, backlog_s)
    return timeline


def timed_stamps(work: Workload, clock: Clock, backlog_s: float) -> tuple[Timeline, float, bool]:
    """The stamps of one step, the seconds the host took to give it, and whether the device was still held then."""
    timeline = Timeline(clock)
    clock.sync()
    if backlog_s:
        clock.hold(backlog_s)
    start = clock.host_s()
    with stamped(work.trainer.model, timeline) if work.eager else nullcontext():
        timeline.enter(("", "data"))
        x, y = next(work.batches)
        work.trainer.step(x, y, mark=lambda phase: timeline.enter(("", phase)))
        timeline.enter(("", "end"))
    host_s, held = clock.host_s() - start, timeline.waiting
    clock.sync()
    return timeline, host_s, held


def backlogged(work: Workload, clock: Clock, count: int) -> tuple[list[Timeline], float]:
    """The stamps of `count` steps that a busy device was given, and the seconds that it was busy; none if it can't be.

    A fast device comes to a stamp as the host takes it, so from an idle start a layer reads what the
    host takes to launch it. Behind a backlog all of the step lies in the queue before the device
    comes to its first stamp. A step whose first stamp was come to earlier (the host was slow, or
    waited for the device, or the queue was full) is taken again behind twice the backlog.
    """
    _, host_s, _ = timed_stamps(work, clock, 0.0)
    backlog_s, found, misses = BACKLOG * host_s, list[Timeline](), 0
    while len(found) < count:
        timeline, _, held = timed_stamps(work, clock, backlog_s)
        if held:
            found.append(timeline)
            continue
        misses += 1
        if misses > MOST_MISSES:
            return [], 0.0
        backlog_s *= 2
    return found, backlog_s


def add_parts(work: Workload, group: Sequence[Timeline], index: int, phases: Samples, layers: Samples) -> None:
    """Add what each phase and each layer took in a stamped step, the mean of a group of them."""
    by_phase: dict[str, float] = defaultdict(float)
    by_part: dict[tuple[str, str], float] = defaultdict(float)
    for timeline in group:
        for part, seconds in timeline.seconds().items():
            by_part[part] += seconds / len(group)
    for (layer, phase), seconds in by_part.items():
        by_phase[phase] += seconds
        if work.eager and (layer or phase in ("forward", "backward")):
            layers.add("wall", "s", seconds, scope="layer", layer=layer or BETWEEN, phase=phase, index=index)
    for phase in filter(by_phase.__contains__, PHASES):
        phases.add("wall", "s", by_phase[phase], scope="phase", phase=phase, index=index)


def stamp_costs(work: Workload, clock: Clock) -> Samples:
    """Seconds that a stamp between layers costs here; nothing for compiled variants, which have none."""
    samples = Samples("layers")
    if work.eager:
        cost_s = queued_stamp_cost_s(clock) if work.queues else stamp_cost_s(clock, work.device)
        samples.add("stamp_cost", "s", cost_s, scope="process")
    return samples
