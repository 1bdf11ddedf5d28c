"""What must not happen in a timed region, counted before and after it: compiling, and steps that change nothing."""

import math
import sys
from dataclasses import dataclass

from bench.core.exchange.cause import Cause, Fault
from bench.core.variants import Variant
from bench.measure.samples import Samples
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload

MOST_SKIPPED_SHARE = 0.01
"""The share of timed steps that may be skipped. A single step always may: a scale that has just settled is near the
largest that fits."""
SETTLED, MOST_SETTLING = 3, 60
"""The steps in a row that must not be skipped, and the most steps that are taken to see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Totals since the process began."""

    graphs: int
    """Graphs that were compiled."""
    graph_breaks: int
    cudagraph_skips: int
    steps: int
    """Steps that were taken."""
    skipped: int
    """Those steps that left the weights as they were because a gradient overflowed."""

    @classmethod
    def of(cls, work: Workload) -> "Effects":
        """The totals now. Reads the optimizer's state, so call it outside the timed region."""
        steps = work.trainer.steps
        counters = compile_counters()
        return cls(
            graphs=counters["stats"]["unique_graphs"],
            graph_breaks=sum(counters["graph_break"].values()),
            cudagraph_skips=counters["inductor"]["cudagraph_skips"],
            steps=steps,
            skipped=steps - work.trainer.optimizer_steps() if work.scaler else 0,
        )


def compile_counters() -> dict[str, dict[str, int]]:
    """What torch's compiler counts; zeros if nothing has loaded it."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    names = {"stats": ("unique_graphs",), "inductor": ("cudagraph_skips",)}
    counters = dynamo.counters if dynamo else {}
    totals = {
        group: {key: int(counters[group][key]) if counters else 0 for key in keys} for group, keys in names.items()
    }
    return totals | {"graph_break": dict(counters["graph_break"]) if counters else {}}


def settle(work: Workload) -> None:
    """Take steps until SETTLED in a row were not skipped: the GradScaler begins with a scale that may be too large.

    Earlier steps count too. After MOST_SETTLING steps it gives up, and later skips are counted.
    """
    in_a_row, before = 0, Effects(graphs=0, graph_breaks=0, cudagraph_skips=0, steps=0, skipped=0)
    for _ in range(MOST_SETTLING if work.scaler else 0):
        now = Effects.of(work)
        taken, skipped = now.steps - before.steps, now.skipped - before.skipped
        in_a_row = 0 if skipped else in_a_row + taken
        if in_a_row >= SETTLED:
            return
        before = now
        take_step(work)


def disturbed(variant: Variant, loss_sum: float, before: Effects, after: Effects) -> Fault | None:
    """Why the time between the two is no speed of the variant; None if it is one."""
    if after.graphs > before.graphs:
        count = after.graphs - before.graphs
        return Fault(Cause.RECOMPILED, f"{count} graphs were compiled again in the timed region")
    if after.graph_breaks > before.graph_breaks:
        return Fault(Cause.GRAPH_BROKE, "the compiled graph broke in the timed region")
    if after.cudagraph_skips and variant.replays:
        return Fault(Cause.CUDA_GRAPHS_SKIPPED, "CUDA graphs were skipped")
    skipped, steps = after.skipped - before.skipped, after.steps - before.steps
    if skipped and (skipped > max(1, MOST_SKIPPED_SHARE * steps) or skipped == steps):
        return Fault(Cause.STEPS_SKIPPED, f"the GradScaler skipped {skipped} of {steps} timed steps")
    if not math.isfinite(loss_sum):
        return Fault(Cause.LOSS_NOT_FINITE, f"the loss is {loss_sum}")
    return None


def samples_of(work: Workload, first: Effects, before: Effects, after: Effects) -> Samples:
    """Graphs, breaks and recompilations of a compiled variant, skipped steps of one with a GradScaler."""
    samples = Samples("steps")
    values: dict[str, int] = {}
    if not work.eager:
        values |= {"graphs": first.graphs, "graph_breaks": after.graph_breaks}
        values |= {"recompiles": after.graphs - first.graphs, "cudagraph_skips": after.cudagraph_skips}
    if work.scaler:
        values |= {"skipped_settling": before.skipped, "skipped_timed": after.skipped - before.skipped}
    for metric, value in values.items():
        samples.add(metric, value)
    return samples
