"""Models whose path differs from step to step, as with stochastic depth: more steps, and the facts of every layer."""

from collections.abc import Iterable

from msgspec.structs import replace

from bench.core.exchange.messages import LayerFacts
from bench.core.header import Counts
from bench.measure.timing.steps import take_step
from bench.measure.validity.verify import observed
from bench.measure.workload import Workload

MOST_SAMPLES = 40
"""Samples of each kind, where steps differ."""
MOST_S = 20.0
"""What they may take, both kinds together."""
MORE_STEPS = 40
"""How many steps are looked at for layers that the first one did not run."""


def enough(counts: Counts, step_s: float) -> Counts:
    """The same for a model whose steps differ: as many samples of both kinds as fit, and at least those it had."""
    counts = replace(counts, varied=True)
    affordable = int(MOST_S / (step_s * (counts.iterations + counts.stamped_iterations)))
    most = min(MOST_SAMPLES, affordable)
    return replace(counts, plain=max(counts.plain, most), stamped=max(counts.stamped, most))


def completed(work: Workload, facts: Iterable[LayerFacts], ran: set[str]) -> list[LayerFacts]:
    """The facts, with those of the layers of `ran` that the first step did not run, in the model's own order.

    It takes steps until it has seen them all, and MORE_STEPS at the most.
    """
    found = {fact.layer: fact for fact in facts}
    for _ in range(MORE_STEPS):
        if all(found[layer].calls for layer in ran):
            break
        with observed(work.trainer.model) as more:
            take_step(work)
        found |= {fact.layer: fact for fact in more if not found[fact.layer].calls}
    return list(found.values())
