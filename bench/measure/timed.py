"""The timed steps of a trial: plain and stamped samples take turns, so that both see the same machine."""

from dataclasses import dataclass

from bench.measure.clock import Clock
from bench.measure.samples import Samples
from bench.measure.stamps import Group, Stamper, stamped_samples
from bench.measure.steps import Counts, dispatches, plain_sample
from bench.measure.workload import Workload

PLAIN, STAMPED = "plain", "stamped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The samples of both kinds."""

    plain: Samples
    stamped: Samples


def timed_steps(work: Workload, clock: Clock, counts: Counts) -> Timed:
    """The plain and the stamped samples of a trial, which take turns; and behind them, on CUDA, dispatch."""
    stamper = Stamper(work, clock, counts.turns)
    plain, groups = in_turn(work, clock, counts, stamper)
    plain.add_all([dispatches(work, clock)])
    return Timed(plain=plain, stamped=stamped_samples(work, groups, stamper.backlog_s))


def in_turn(work: Workload, clock: Clock, counts: Counts, stamper: Stamper) -> tuple[Samples, list[Group]]:
    """The plain samples, and the steps of the stamped ones, whose stamps are read later.

    Where the stamper finds that no backlog holds, both kinds are taken anew, so that no sample lies behind one.
    """
    plain, groups = Samples("steps"), list[Group]()
    index = 0
    for kind in order(counts.plain, counts.stamped):
        if kind == PLAIN:
            plain.add_all([plain_sample(work, clock, counts.iterations, index)])
            index += 1
        elif group := stamper.sample():
            groups.append(group)
        else:
            return in_turn(work, clock, counts, stamper)
    return plain, groups


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
