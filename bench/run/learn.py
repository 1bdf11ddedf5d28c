"""What a pilot's trial tells of the trials to come. Pure: who calls it saves what it gives."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import msgspec
from msgspec.structs import replace

from bench.core.header import Counts, Learned
from bench.core.records import SAMPLES
from bench.core.variants import Variant
from bench.plan import schedule


def from_pilot(learned: Learned, trial: schedule.Planned, reply: Mapping[str, Any], duration_s: float) -> Learned:
    """What was learned, and what the reply of a pilot's trial adds.

    ValueError, LookupError, TypeError or msgspec's ValidationError if the reply is not what was asked.
    """
    variant = trial.arm.variant
    if schedule.times_steps(trial.probes):
        # A worker's numbers are checked as a file's are: run.json is read again.
        return msgspec.convert(msgspec.to_builtins(from_steps(learned, variant, reply, duration_s)), Learned)
    if trial.probes == "memory" and variant.compile_mode != "eager":
        # The first that found compiled code, as those to come will: they too trace, load and record.
        return replace(learned, trial_s=longest(learned.trial_s, variant.id, duration_s))
    return learned


def from_steps(learned: Learned, variant: Variant, reply: Mapping[str, Any], duration_s: float) -> Learned:
    """The step, how long a trial of the rounds should take, and how many steps it takes."""
    walls = [s["value"] for s in reply["samples"] if s["scope"] == "step" and s["metric"] == "wall"]
    first_s = next(s["value"] for s in reply["samples"] if s["metric"] == "first_step")
    step_s = median(walls)
    if not step_s > 0:  # false for what is no number, too
        msg = f"{SAMPLES.name}: value: found {step_s}, expected a number above 0"
        raise ValueError(msg)
    compiling_s = first_s - step_s if variant.compile_mode != "eager" else 0.0
    again_s = duration_s - compiling_s - reply.get("once_s", 0.0)
    return replace(
        learned,
        step_s=learned.step_s | {variant.id: step_s},
        trial_s=longest(learned.trial_s, variant.id, again_s),
        counts=learned.counts | {variant.id: msgspec.convert(reply["counts"], Counts)},
    )


def longest(trial_s: Mapping[str, float], variant_id: str, seen_s: float) -> dict[str, float]:
    """Seconds by variant, with the longest that was seen of one; never less than 0."""
    return {**trial_s, variant_id: max(seen_s, trial_s.get(variant_id, 0.0))}
