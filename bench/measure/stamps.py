"""Stamped steps: who has the time of a step, by phase and layer."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from statistics import mean

from bench.measure.clock import Clock, Timeline
from bench.measure.layers import queued_stamp_cost_s, stamp_cost_s, stamped
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from nin.train import PHASES

BACKLOG = 1.5
"""Of the host's time for a stamped step, from an idle start: how long the device is held."""
MOST_MISSES = 3

Group = list[Timeline]
"""The steps of one stamped sample: their mean counts."""


class Stamper:
    """Takes the stamped samples of a trial: one step each or, with `turns`, so many in a row.

    On a device with a queue they are its own seconds, taken behind a backlog, where the step lets the host run ahead.
    A fast device comes to a stamp as the host takes it, so from an idle start a layer reads what the host takes to
    launch it. Behind a backlog all of the step lies in the queue before the device comes to its first stamp.
    """

    def __init__(self, work: Workload, clock: Clock, turns: int = 1) -> None:
        self.work, self.clock, self.turns = work, clock, turns
        self.backlog_s = BACKLOG * timed_stamps(work, clock, 0.0)[1] if work.queues else 0.0
        """How long the device is held before a step; 0 where it is not."""
        self._misses = 0

    def sample(self) -> Group:
        """The steps of one sample; none where it turns out that no backlog holds: from then on, there is none.

        A step whose first stamp was come to too early (the host was slow, or waited for the device, or the queue was
        full) is taken again behind twice the backlog.
        """
        if not self.backlog_s:
            return [stamped_step(self.work, self.clock) for _ in range(self.turns)]
        while True:
            timeline, _, held = timed_stamps(self.work, self.clock, self.backlog_s)
            if held:
                return [timeline]
            self._misses += 1
            if self._misses > MOST_MISSES:
                self.backlog_s = 0.0
                return []
            self.backlog_s *= 2


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


def stamped_samples(work: Workload, groups: Sequence[Group], backlog_s: float) -> Samples:
    """Seconds of each phase and, in eager variants, of each layer, from the same stamped steps.

    Where they were taken behind a backlog, its seconds too (metric backlog).
    """
    phases, layers = Samples("steps"), Samples("layers")
    for index, group in enumerate(groups):
        phases.add("stamped_wall", "s", mean(timeline.wall_s() for timeline in group), index=index)
        if backlog_s:
            phases.add("backlog", "s", backlog_s, index=index)
        layers.add("stamps", "1", group[0].stamps, index=index)
        add_parts(work, group, index, phases, layers)
    if work.eager:
        phases.add_all([layers])
    return phases


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
            layers.add("wall", "s", seconds, scope="layer", layer=layer or "between", phase=phase, index=index)
    for phase in filter(by_phase.__contains__, PHASES):
        phases.add("wall", "s", by_phase[phase], scope="phase", phase=phase, index=index)


def stamp_costs(work: Workload, clock: Clock) -> Samples:
    """Seconds that a stamp between layers costs here; nothing for compiled variants, which have none."""
    samples = Samples("layers")
    if work.eager:
        cost_s = queued_stamp_cost_s(clock) if work.queues else stamp_cost_s(clock, work.device)
        samples.add("stamp_cost", "s", cost_s, scope="process")
    return samples
