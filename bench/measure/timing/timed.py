"""The timed steps of a trial: plain and stamped samples take turns, so that both see the same machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.core.header import Counts
from bench.measure.clock import Clock
from bench.measure.samples import Samples
from bench.measure.timing.stamps import Stamped, Stamper, paths_of, stamped_samples
from bench.measure.timing.steps import Plain, dispatches, plain_sample, plain_samples, take_step
from bench.measure.validity.paths import enough
from bench.measure.workload import Workload
from bench.process.turn import ALONE, Turn

PLAIN, STAMPED = "plain", "stamped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The samples of both kinds, and how many there are."""

    counts: Counts
    plain: Samples
    stamped: Samples
    layers: set[str]
    """The layers that a stamped step ran."""
    step_s: float
    """The median of the plain samples."""
    page_faults: list[float]
    """Of each plain sample, a step; empty if they are not counted."""


def timed_steps(work: Workload, clock: Clock, counts: Counts, turn: Turn = ALONE, *, learns: bool = False) -> Timed:
    """The plain and the stamped samples of a trial, which take turns; and after them, on a GPU, dispatch.

    If the model's path differs between steps, a trial that `learns` takes all samples again, and more of them.
    """
    stamper = Stamper(work, clock)
    plain, stamped = in_turn(work, clock, counts, stamper, turn)
    if learns and work.peers.most(len(paths_of(stamped))) > 1:
        counts = enough(counts, work.peers.most(median(sample.wall_s for sample in plain)))
        plain, stamped = in_turn(work, clock, counts, stamper, turn)
    samples = plain_samples(plain)
    samples.add_all([dispatches(work, clock)])
    varied = counts.varied or len(paths_of(stamped)) > 1
    return Timed(
        counts=counts,
        plain=samples,
        stamped=stamped_samples(work, stamped, stamper.backlog_s, varied=varied),
        layers=layers_of(stamped),
        step_s=median(sample.wall_s for sample in plain),
        page_faults=[sample.used.page_faults for sample in plain if sample.used],
    )


def layers_of(stamped: Sequence[Stamped]) -> set[str]:
    """The layers that some stamped sample has."""
    return {layer for sample in stamped for layer, _ in sample.seconds if layer}


def in_turn(
    work: Workload, clock: Clock, counts: Counts, stamper: Stamper, turn: Turn
) -> tuple[list[Plain], list[Stamped]]:
    """The plain and the stamped samples. All ranks begin a sample together.

    If no backlog proves long enough, both kinds are taken again, so that no sample has one.
    """
    plain, stamped = list[Plain](), list[Stamped]()
    for kind in order(counts.plain, counts.stamped):
        turn.wait()
        work.peers.meet()
        for _ in range(counts.turns if turn.is_shared and counts.iterations > 1 else 0):
            take_step(work)  # others have filled the caches, which a sample of short steps would feel
        if kind == PLAIN:
            plain.append(plain_sample(work, clock, counts.iterations))
        elif sample := stamper.sample(counts.iterations):
            stamped.append(sample)
        else:
            return in_turn(work, clock, counts, stamper, turn)
    return plain, stamped


def order(plain: int, stamped: int) -> list[str]:
    """The kind of each sample in turn: both spread evenly, and neither always at every second (or fourth) place.

    A model may do something in every second step, and both kinds must see it. So some pairs are turned round, as in the
    Thue-Morse sequence: those whose number has an even count of ones among its binary digits.
    """
    counts = {PLAIN: plain, STAMPED: stamped}
    places = [((place + 0.5) / count, kind) for kind, count in counts.items() for place in range(count)]
    kinds = [kind for _, kind in sorted(places)]
    pairs = [kinds[at : at + 2] for at in range(0, len(kinds), 2)]
    return [kind for number, pair in enumerate(pairs) for kind in (pair if number.bit_count() % 2 else pair[::-1])]
