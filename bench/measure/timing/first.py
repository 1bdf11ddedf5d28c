"""The first step, measured apart from the later ones."""

from bench.core.exchange.messages import LayerFacts
from bench.measure.clock import Clock
from bench.measure.timing.steps import first_step_s
from bench.measure.validity import verify
from bench.measure.workload import Workload


def first_step(work: Workload, clock: Clock) -> tuple[list[LayerFacts], float]:
    """The facts of each layer in the first step, and the step's seconds; no facts if layers can't be hooked."""
    if not work.eager:
        return [], first_step_s(work, clock)
    with verify.observed(work.trainer.model) as facts:
        seconds = first_step_s(work, clock)
    return facts, seconds
