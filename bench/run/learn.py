"""What a pilot's trial shows about later trials. Pure: the caller saves what it returns."""

from collections.abc import Mapping
from statistics import median

import msgspec
from msgspec.structs import replace

from bench.core.exchange.messages import Reply
from bench.core.exchange.probe import Probe
from bench.core.header import Learned
from bench.core.variants import Variant
from bench.plan import schedule


def from_pilot(learned: Learned, trial: schedule.Planned, reply: Reply, duration_s: float) -> Learned:
    """What was learned before, with what the reply of a pilot's trial adds.

    Raises ValueError if the reply does not fit the request.
    """
    variant = trial.arm.variant
    if schedule.times_steps(trial.probes):
        # The conversion checks a worker's numbers as a file's: run.json must be readable again.
        return msgspec.convert(msgspec.to_builtins(from_steps(learned, variant, reply, duration_s)), Learned)
    if Probe.MEMORY in trial.probes and variant.compiled:
        # This trial is the first with compiled code in its cache, as later ones: they too trace, load and record.
        return replace(learned, trial_s=longest(learned.trial_s, variant.id, duration_s))
    return learned


def from_steps(learned: Learned, variant: Variant, reply: Reply, duration_s: float) -> Learned:
    """What was learned before, with the variant's step, how long its trial in a round should take, and its counts."""
    of_trial = [sample for sample in reply.samples if sample.rank is None]
    walls = [sample.value for sample in of_trial if sample.scope == "step" and sample.metric == "wall"]
    firsts_s = [sample.value for sample in of_trial if sample.metric == "first_step"]
    if not walls or not firsts_s or reply.counts is None:
        msg = "it has no steps"
        raise ValueError(msg)
    step_s = median(walls)
    compiling_s = firsts_s[0] - step_s if variant.compiled else 0.0
    again_s = duration_s - compiling_s - reply.once_s
    return replace(
        learned,
        step_s=learned.step_s | {variant.id: step_s},
        trial_s=longest(learned.trial_s, variant.id, again_s),
        counts=learned.counts | {variant.id: reply.counts},
        items=learned.items | ({} if reply.items is None else {variant.id: reply.items}),
        peak_bytes=learned.peak_bytes | ({} if reply.peak_bytes is None else {variant.id: reply.peak_bytes}),
    )


def longest(trial_s: Mapping[str, float], variant_id: str, seen_s: float) -> dict[str, float]:
    """Seconds by variant, with the longest seen for this variant; at least 0."""
    return {**trial_s, variant_id: max(seen_s, trial_s.get(variant_id, 0.0))}
