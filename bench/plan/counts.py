"""How many steps the trials of a run take, once its pilot has told: the same in all that are held against each other.

A median of single steps and a median of means are different numbers of the same steps: where one step in ten takes half
as long again, the mean of ten is 5 % above the median step, and identical code would come out slower.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bench.core.header import Counts
from bench.core.variants import Variant

MOST_SAMPLE_S = 2.0
"""What the steps of one sample may take in the slowest variant, and its stamped steps together."""
MOST_VARIED_S = 20.0
"""What all samples of both kinds may take in the slowest variant, where the model's path differs between steps."""


def evened(variants: Iterable[Variant], counts: Mapping[str, Counts], step_s: Mapping[str, float]) -> dict[str, Counts]:
    """The counts by variant id, with the same samples and the same steps a sample for all that share a baseline.

    Each takes as many steps a sample as the fastest needs, as far as the slowest takes no more than MOST_SAMPLE_S for
    them. Samples are those of the variant that can afford the fewest; where the model's path differs between steps,
    those of the variant that saw it, as far as the slowest can. A variant too slow for stamped steps has none.
    """
    groups: dict[str, list[str]] = {}
    for variant in variants:
        if variant.id in counts and variant.id in step_s:
            groups.setdefault(variant.baseline.id, []).append(variant.id)
    found = dict(counts)
    for ids in groups.values():
        mine, slowest_s = [counts[v] for v in ids], max(step_s[v] for v in ids)
        affordable = max(1, int(MOST_SAMPLE_S / slowest_s))
        turns = math.lcm(*(c.turns for c in mine))  # steps that wait for a loader's workers come in bursts
        iterations = turns * math.ceil(min(affordable, max(c.iterations for c in mine)) / turns)
        plain, stamped = [c.plain for c in mine], [c.stamped for c in mine if c.stamped] or [0]
        varied = any(c.varied for c in mine)
        if varied:
            affordable = int(MOST_VARIED_S / (2 * iterations * slowest_s))
        fewest = max(min(plain), min(affordable, max(plain))) if varied else min(plain)
        even = max(min(stamped), min(affordable, max(stamped)))
        for v, own in zip(ids, mine, strict=True):
            found[v] = replace(
                own, plain=fewest, iterations=iterations, stamped=even if own.stamped else 0, varied=varied
            )
    return found


def steps_of(counts: Counts) -> int:
    """The plain and the stamped steps of a trial."""
    return counts.plain * counts.iterations + counts.stamped * (counts.iterations if counts.varied else counts.turns)
