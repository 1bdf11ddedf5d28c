"""Stamped steps: what the phases and layers of a step take."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from statistics import mean

from bench.core.traces import BETWEEN, PHASES
from bench.measure.clock import Clock, Timeline
from bench.measure.leaves import tree
from bench.measure.ranks.exchange import Exchange
from bench.measure.samples import Samples
from bench.measure.timing.layers import queued_stamp_cost_s, stamp_cost_s, stamped
from bench.measure.workload import Workload

BACKLOG = 1.5
"""The device is held for this multiple of the host's time for a stamped step from an idle start."""
MOST_MISSES = 3

Part = tuple[str, str]
"""A layer (empty for what runs outside of every leaf) and a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """One stamped sample: the means of its steps."""

    wall_s: float
    iterations: int
    stamps: float
    seconds: dict[Part, float]
    """The seconds of each part."""
    phases: dict[str, float]
    """The seconds of each phase, whichever layers had the time in it."""
    paths: set[tuple[Part, ...]]
    """The parts in the order of their turns, for each path that a step took."""
    exchange: Exchange | None = None
    """What the rank exchanged with the others; None for a process that trains alone, and on CUDA."""


def stamped_sample(group: Sequence[Timeline], exchange: Exchange | None = None) -> Stamped:
    """The sample of some steps."""
    seconds: dict[Part, float] = defaultdict(float)
    phases: dict[str, float] = defaultdict(float)
    for timeline in group:
        for phase, phase_s in timeline.phase_seconds().items():
            phases[phase] += phase_s / len(group)
        for part, part_s in timeline.seconds().items():
            seconds[part] += part_s / len(group)
    return Stamped(
        wall_s=mean(timeline.wall_s() for timeline in group),
        iterations=len(group),
        stamps=mean(timeline.stamps for timeline in group),
        seconds=dict(seconds),
        phases=dict(phases),
        paths={timeline.path for timeline in group},
        exchange=exchange,
    )


class Stamper:
    """Takes the stamped samples of a trial, each of `iterations` steps in a row.

    If the step lets the host run ahead of a device with a queue, they are the device's own seconds, taken behind a
    backlog. From an idle start a fast device reaches a stamp as the host takes it, so a layer would read the time that
    the host takes to launch it. Behind a backlog the whole step is in the queue before the device reaches its first
    stamp.
    """

    def __init__(self, work: Workload, clock: Clock) -> None:
        self.work, self.clock = work, clock
        self.backlog_s = 0.0
        """How long the device is held before a step; 0 if it is not held."""
        self._misses = 0
        if work.queues:
            timeline, host_s, _ = timed_stamps(work, clock, 0.0)
            timeline.give_back()
            self.backlog_s = BACKLOG * host_s

    def sample(self, iterations: int = 1) -> Stamped | None:
        """One sample. None if no backlog proves long enough: later samples then have none.

        If the device reached a step's first stamp too early (the host was slow, or waited for the device, or the queue
        was full), the step is taken again behind twice the backlog.
        """
        group: list[Timeline] = []
        while len(group) < iterations:
            timeline, _, held = timed_stamps(self.work, self.clock, self.backlog_s)
            if not self.backlog_s or not self.work.peers.most(not held):
                group.append(timeline)
                continue
            timeline.give_back()
            self._misses += 1
            if self._misses > MOST_MISSES:
                self.backlog_s = 0.0
                return None
            self.backlog_s *= 2
        sample = stamped_sample(group, exchange_of(self.work))
        for timeline in group:
            timeline.give_back()
        return sample


def timed_stamps(work: Workload, clock: Clock, backlog_s: float) -> tuple[Timeline, float, bool]:
    """The stamps of one step, the seconds the host took to launch it, and whether the device was still held then."""
    timeline = Timeline(clock)
    clock.sync()
    if backlog_s:
        clock.hold(backlog_s)
    start = clock.host_s()
    exchange = work.exchanger.watched(timeline) if work.exchanger else nullcontext()
    with exchange, stamped(work.trainer.model, timeline) if work.eager else nullcontext():
        timeline.begin("data")
        work.step(next(work.batches), mark=timeline.begin)
        timeline.begin("end")
    host_s, held = clock.host_s() - start, timeline.waiting
    clock.sync()
    return timeline, host_s, held


def exchange_of(work: Workload) -> Exchange | None:
    """What a rank exchanged in the steps of a sample; on CUDA the host's stamps would not say it."""
    exchange = work.exchanger.exchange() if work.exchanger else None
    return exchange if work.device.type == "cpu" else None


def stamped_samples(
    work: Workload, samples: Sequence[Stamped], backlog_s: float = 0.0, *, varied: bool = False
) -> Samples:
    """Seconds of each phase and, in eager variants, of each layer, from the same stamped steps; and how many paths.

    If they were taken behind a backlog, its seconds too (metric backlog). If paths differ (`varied`), every part has
    its seconds in every sample: a part that no step ran took 0.
    """
    phases, layers = Samples("steps"), Samples("layers")
    every = dict.fromkeys(parts_of(work, samples), 0.0) if varied else {}
    for index, sample in enumerate(samples):
        phases.add("stamped_wall", sample.wall_s, iterations=sample.iterations, index=index)
        if backlog_s:
            phases.add("backlog", backlog_s, index=index)
        layers.add("stamps", sample.stamps, iterations=sample.iterations, index=index)
        if sample.exchange:
            for name, value in asdict(sample.exchange).items():
                phases.add(name, value, iterations=sample.iterations, index=index)
        add_parts(work, sample, every, index, phases, layers)
    if work.eager and samples:
        layers.add("step_paths", len(paths_of(samples)))
    if work.eager:
        phases.add_all([layers])
    return phases


def paths_of(samples: Sequence[Stamped]) -> set[tuple[Part, ...]]:
    """The paths that the steps of some samples took."""
    return {path for sample in samples for path in sample.paths}


def parts_of(work: Workload, samples: Sequence[Stamped]) -> list[Part]:
    """Every module of an eager variant's model, forward and backward, and whatever else some step ran."""
    in_model = [(layer, phase) for layer in tree(work.trainer.model) for phase in ("forward", "backward")]
    return [*(in_model if work.eager else []), *(part for sample in samples for part in sample.seconds)]


def add_parts(
    work: Workload, sample: Stamped, every: dict[Part, float], index: int, phases: Samples, layers: Samples
) -> None:
    """Add the seconds of each phase and each layer in a stamped sample, 0 for those of `every` that it did not run.

    A task's own step has phases of its own: their sum is the step, and layers are within them.
    """
    named, iterations = sample.phases if work.owns_step else {}, sample.iterations
    by_phase: dict[str, float] = defaultdict(float)
    for (layer, phase), part_s in (every | sample.seconds).items():
        by_phase[phase] += part_s
        if work.eager and (layer or phase in ("forward", "backward")):
            layers.add("wall", part_s, layer=layer or BETWEEN, phase=phase, iterations=iterations, index=index)
    for phase in named or filter(by_phase.__contains__, PHASES):
        phases.add("wall", (named or by_phase)[phase], phase=phase, iterations=iterations, index=index)


def stamp_costs(work: Workload, clock: Clock) -> Samples:
    """Seconds that a stamp between layers costs here; empty for compiled variants, which have none."""
    samples = Samples("layers")
    if work.eager:
        cost_s = queued_stamp_cost_s(clock) if work.queues else stamp_cost_s(clock, work.device)
        samples.add("stamp_cost", cost_s)
    return samples
