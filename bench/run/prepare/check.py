"""The text of `bench check`: what was understood of a model or a task, from one step of it."""

from pathlib import Path

from bench.core.axes.batch_size import CPU_BATCH
from bench.core.axes.model import without_settings
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs, PilotCounts
from bench.core.metrics.sample import Scope
from bench.core.traces import BETWEEN
from bench.core.variants import AXES, UsageError, Variant, as_row
from bench.plan.choices import Choices, parse_shape
from bench.process import child
from bench.run.prepare.dry import ASK_LIMIT_S
from bench.run.prepare.machine import environment

MOST_LAYERS = 30
"""More layers are counted and not listed."""
SAME = ("model", "mode")
"""The axes in which the variants of a run don't differ."""
OF_RANKS = ("world_size", "parallel")
"""Those of several ranks: a task's batches are not divided among them."""
FORMS = {
    "classifier": "an image classifier",
    "task": "a task with a declared loss",
    "own step": "a task with a step of its own",
    "own loop": "a task with a loop of its own",
}


def check(choices: Choices, device: str) -> str:
    """What was understood. Raises UsageError, with what is wrong, if a step can't be trained."""
    here = environment()
    variant = Variant(device=device, model=choices.trained, batch_size=CPU_BATCH)
    shape = None if choices.shape is None else parse_shape(choices.shape)
    inputs = Inputs(folder=None, shape=shape, classes=choices.classes, task=choices.task is not None)
    variables = child.environment_of(variant, here.libraries, Path())
    replies = []
    for probes in ((Probe.BUILD,), (Probe.STEPS, Probe.LAYERS, Probe.PERIODIC, Probe.NUMERICS)):
        request = Request(
            variant=as_row(variant), inputs=inputs, seed=choices.weights_seed, probes=probes,
            pilot_counts=PilotCounts(plain=1, stamped=1),
        )  # fmt: skip
        replies.append(child.ask(request, variables, ASK_LIMIT_S))
        if not replies[-1].ok:
            raise UsageError(replies[-1].reason)
    return "\n".join(lines(variant, *replies))


def lines(variant: Variant, built: Reply, stepped: Reply) -> list[str]:
    """A line for each thing that was understood."""
    form, owned = (built.understood.form, built.understood.owned) if built.understood else ("", ())
    items = f"{stepped.items.count:,.0f} {stepped.items.unit}" if stepped.items else "nothing that is counted"
    idle = {*owned, *SAME, *(OF_RANKS if form != "classifier" else ())}
    acting = [name for name in AXES if name not in idle]
    checked = "yes" if not any(s.metric == "not_gated" for s in stepped.samples) else f"no: {stepped.reason}"
    return [
        f"{without_settings(variant.model)}: {FORMS.get(form, form)}",
        f"a step works through {items} at a batch of {variant.batch_size}",
        f"phases: {', '.join(phases_of(stepped))}",
        *periodic_lines(stepped),
        *layer_lines(stepped),
        f"variants can differ in: {', '.join(acting)}",
        *([f"as the task has it: {', '.join(owned)}"] if owned else []),
        f"checked against float64: {checked}",
    ]


def phases_of(reply: Reply) -> list[str]:
    """The phases of a stamped step."""
    return list(dict.fromkeys(s.phase for s in reply.samples if s.scope is Scope.PHASE and s.metric == "wall"))


def periodic_lines(reply: Reply) -> list[str]:
    """What the task does once in many steps, and how long its last call took."""
    steps = {s.phase: s.value for s in reply.samples if s.metric == "periodic_steps"}
    took_s = {s.phase: s.value for s in reply.samples if s.metric == "periodic"}
    each = [f"{name} ({took_s[name]:.3g} s, once in {count:,.0f} steps)" for name, count in steps.items()]
    return [f"beside the step: {', '.join(each)}"] if each else []


def layer_lines(reply: Reply) -> list[str]:
    """The layers with their types, as far as they are few."""
    timed = {s.layer for s in reply.samples if s.scope is Scope.LAYER and s.metric == "wall"} - {BETWEEN}
    named = [f"  {fact.layer} {fact.type}" for fact in reply.layers if fact.layer in timed]
    uncalled = [fact.layer for fact in reply.layers if fact.layer not in timed]
    more = [f"  and {len(named) - MOST_LAYERS} more"] if len(named) > MOST_LAYERS else []
    never = [f"  never called: {', '.join(uncalled)}"] if uncalled else []
    return [f"layers: {len(named)}", *named[:MOST_LAYERS], *more, *never]
