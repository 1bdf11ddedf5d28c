"""More steps, and the facts of every layer, for a model whose path differs from step to step (stochastic depth)."""

from collections.abc import Iterable

from msgspec.structs import replace

from bench.core.exchange.messages import LayerFacts
from bench.core.header import Counts
from bench.measure.timing.steps import take_step
from bench.measure.validity.verify import observed
from bench.measure.workload import Workload

MOST_SAMPLES = 40
"""Samples of each kind, if steps differ."""
MOST_S = 20.0
"""The time that samples of both kinds may take together."""
MORE_STEPS = 40
"""The most steps that are taken to see the layers that the first one did not run."""


def enough(counts: Counts, step_s: float) -> Counts:
    """The counts for a model whose steps differ: as many samples of both kinds as fit, and never fewer than given."""
    counts = replace(counts, varied=True)
    affordable = int(MOST_S / (step_s * 2 * counts.iterations))
    most = min(MOST_SAMPLES, affordable)
    return replace(counts, plain=max(counts.plain, most), stamped=max(counts.stamped, most))


def completed(work: Workload, facts: Iterable[LayerFacts], ran: set[str]) -> list[LayerFacts]:
    """The facts of all layers, in the model's own order, those that the first step did not run from later steps.

    `ran` names the layers to see. It takes steps until it has seen them all, and MORE_STEPS at most.
    """
    by_layer = {fact.layer: fact for fact in facts}
    for _ in range(MORE_STEPS):
        if all(by_layer[layer].calls for layer in ran):
            break
        with observed(work.trainer.model) as more:
            take_step(work)
        by_layer |= {fact.layer: fact for fact in more if not by_layer[fact.layer].calls}
    return list(by_layer.values())
