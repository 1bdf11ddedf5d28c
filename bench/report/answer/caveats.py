"""What to know before the answer is used: whether it computes as exactly as the baseline, and what was not measured."""

import math
from dataclasses import replace

from bench.analyse import tables
from bench.analyse.labels import MOST_LETTERS, SHARED_AXES, name_of
from bench.analyse.load import RunData
from bench.core.axes.precision import PRECISION
from bench.core.text import MOST_OF_A_REASON, marked
from bench.core.variants import AXES, NOTEBOOK, Variant, as_row
from bench.report import commands
from bench.report.document import Block, Code, Fold, Paragraph
from bench.report.trust import provenance

MIXED = tuple(name for name in AXES if name not in SHARED_AXES and name not in NOTEBOOK)
"""The axes whose values mix; loaders and reads of the loss are those of a training loop."""
CHOSEN = ("preset", "axis", "variant", "finalists")
"""The options of a run that choose its variants; the others say what is trained, and on what."""


def precision_words(data: RunData, best: str) -> list[str]:
    """What a recommended variant computes more coarsely than its baseline; empty if it does not."""
    return [*not_gated_words(data, best), *coarser_words(data, best), *dead_words(data, best)]


def not_gated_words(data: RunData, best: str) -> list[str]:
    """A sentence that the gate could not check what a recommended variant computes, if so."""
    reason = tables.not_gated(data, best)
    shown = marked(reason, MOST_OF_A_REASON)
    return [f"It is **not gated**: {shown}. So compare its accuracy with the baseline's."] if reason else []


def coarser_words(data: RunData, best: str) -> list[str]:
    """How far the values of a variant under autocast that passed the gate are off, beside the baseline's."""
    baseline = tables.baseline_of(data, best)
    passed = not tables.not_gated(data, best)
    if baseline is None or not passed or not PRECISION.value(data.variants[best].precision).autocast:
        return []
    errors = [data.spread(v, "score_error", "process").estimate for v in (best, baseline)]
    if any(map(math.isnan, errors)):
        return []
    return [
        f"It computes less exactly: its results are off by {errors[0]:.1e} of their size, the baseline's by "
        f"{errors[1]:.1e}. That is no more than its precision explains; whether a network learns as well with it is "
        "not measured here."
    ]


def dead_words(data: RunData, best: str) -> list[str]:
    """A sentence that fewer classes have a live score than in the baseline, before any training; if so."""
    baseline = tables.baseline_of(data, best)
    if baseline is None:
        return []
    live, of_baseline = (data.spread(v, "live_logits", "process").estimate for v in (best, baseline))
    if not live < of_baseline:
        return []
    classes = data.run.inputs.classes
    return [
        f"Before training, {classes - live:.0f} of its {classes} classes have the same score for every image, in the "
        f"baseline {classes - of_baseline:.0f}. Such a class may never be predicted: see the warning under *Is each "
        "variant what it says?*"
    ]


def unmeasured(data: RunData, best: str) -> list[Block]:
    """The mixes that differ from the fastest in one setting and were not measured, and a command that measures them."""
    mixes = neighbours(data, best)
    if not mixes:
        return []
    names = "; ".join(marked(name_of(as_row(variant), ()), MOST_LETTERS) for variant in mixes)
    variants = " ".join(f"--variant {variant_id}" for variant_id in (best, *(variant.id for variant in mixes)))
    lead = "1 mix that differs" if len(mixes) == 1 else f"{len(mixes)} mixes that differ"
    words = f"This run measured their settings, but not together: {names}. This measures them:"
    command = provenance.command_again(data.run, *CHOSEN, more=variants) or commands.bench(data.run, "run", variants)
    return [Fold(f"Not measured: {lead} from the fastest in one setting", [Paragraph(words), Code([command], "sh")])]


def neighbours(data: RunData, best: str) -> list[Variant]:
    """The variants that no trial measured and that take one setting of the fastest from another variant of its group.

    Those with a setting more come first.
    """
    own = data.variants[best]
    sound = [data.variants[v] for v in data.runnable if tables.outcome(data, v)[0] == "ok"]
    group = [variant for variant in sound if variant.baseline == own.baseline]
    changed = [
        replace(own, **{axis: getattr(other, axis)})
        for axis in MIXED
        for other in group
        if getattr(other, axis) != getattr(own, axis)
    ]
    fresh = [variant for variant in dict.fromkeys(changed) if variant not in data.variants.values()]
    return sorted(fresh, key=lambda variant: -len(settings(variant)))


def settings(variant: Variant) -> list[str]:
    """The axes in which a variant differs from its baseline."""
    return [axis for axis in MIXED if getattr(variant, axis) != getattr(variant.baseline, axis)]
