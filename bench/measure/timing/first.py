"""The first step, apart from those that are timed."""

from bench.core.exchange.messages import LayerFacts
from bench.measure.clock import Clock
from bench.measure.timing.steps import first_step_s
from bench.measure.validity import verify
from bench.measure.workload import Workload


def first_step(work: Workload, clock: Clock) -> tuple[list[LayerFacts], float]:
    """What each layer saw in the first step, if layers can be hooked; and the step's seconds."""
    if not work.eager:
        return [], first_step_s(work, clock)
    with verify.observed(work.trainer.model) as facts:
        seconds = first_step_s(work, clock)
    return facts, seconds
