"""The timed steps of a trial: plain and stamped samples take turns, so that both see the same machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure.clock import Clock
from bench.measure.probes.stamps import Stamped, Stamper, paths_of, stamped_samples
from bench.measure.probes.steps import Counts, dispatches, plain_sample
from bench.measure.samples import Samples
from bench.measure.validity.paths import enough
from bench.measure.workload import Workload

PLAIN, STAMPED = "plain", "stamped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The samples of both kinds, and how many there are."""

    counts: Counts
    plain: Samples
    stamped: Samples
    ran: set[str]
    """The layers that a stamped step ran."""


def timed_steps(work: Workload, clock: Clock, counts: Counts, *, learns: bool = False) -> Timed:
    """The plain and the stamped samples of a trial, which take turns; and behind them, on CUDA, dispatch.

    A trial that `learns` takes all of them anew, and more, where it finds that the model's path differs between steps.
    """
    stamper = Stamper(work, clock)
    plain, found = in_turn(work, clock, counts, stamper)
    if learns and len(paths_of(found)) > 1:
        step_s = median(plain.of("wall"))
        counts = enough(counts, step_s)
        plain, found = in_turn(work, clock, counts, stamper)
    plain.add_all([dispatches(work, clock)])
    varied = counts.varied or len(paths_of(found)) > 1
    stamped = stamped_samples(work, found, stamper.backlog_s, varied=varied)
    return Timed(counts=counts, plain=plain, stamped=stamped, ran=ran(found))


def ran(found: Sequence[Stamped]) -> set[str]:
    """The layers that some samples have."""
    return {layer for sample in found for layer, _ in sample.seconds if layer}


def in_turn(work: Workload, clock: Clock, counts: Counts, stamper: Stamper) -> tuple[Samples, list[Stamped]]:
    """The plain and the stamped samples.

    Where the stamper finds that no backlog holds, both kinds are taken anew, so that no sample lies behind one.
    """
    plain, found = Samples("steps"), list[Stamped]()
    index = 0
    for kind in order(counts.plain, counts.stamped):
        if kind == PLAIN:
            plain.add_all([plain_sample(work, clock, counts.iterations, index)])
            index += 1
        elif sample := stamper.sample(counts.stamped_iterations):
            found.append(sample)
        else:
            return in_turn(work, clock, counts, stamper)
    return plain, found


def order(plain: int, stamped: int) -> list[str]:
    """Which kind each sample is of: both spread evenly, and neither always at every second (or fourth) place.

    A model may do something in every second step, and both kinds must come to see it. So some pairs are turned round,
    as the sequence of Thue and Morse has it: those whose number has an even count of ones among its binary digits.
    """
    counts = {PLAIN: plain, STAMPED: stamped}
    places = [((place + 0.5) / count, kind) for kind, count in counts.items() for place in range(count)]
    kinds = [kind for _, kind in sorted(places)]
    pairs = [kinds[at : at + 2] for at in range(0, len(kinds), 2)]
    return [kind for number, pair in enumerate(pairs) for kind in (pair if number.bit_count() % 2 else pair[::-1])]
