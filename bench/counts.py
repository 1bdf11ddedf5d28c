"""How many steps the trials of a run take, once its pilot has told: the same in all that are held against each other.

A median of single steps and a median of means are different numbers of the same steps: where one step in ten takes half
as long again, the mean of ten is 5 % above the median step, and identical code would come out slower.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bench.header import Counts
from bench.variants import Variant

MOST_SAMPLE_S = 2.0
"""What the steps of one sample may take in the slowest variant, and its stamped steps together."""


def evened(variants: Iterable[Variant], counts: Mapping[str, Counts], step_s: Mapping[str, float]) -> dict[str, Counts]:
    """The counts by variant id, with the same samples and the same steps a sample for all that share a baseline.

    Each takes as many steps a sample as the fastest needs, as far as the slowest takes no more than MOST_SAMPLE_S for
    them. Samples are those of the variant that can afford the fewest. A variant too slow for stamped steps has none.
    """
    groups: dict[str, list[str]] = {}
    for variant in variants:
        if variant.id in counts and variant.id in step_s:
            groups.setdefault(variant.baseline.id, []).append(variant.id)
    found = dict(counts)
    for ids in groups.values():
        mine = [counts[v] for v in ids]
        affordable = max(1, int(MOST_SAMPLE_S / max(step_s[v] for v in ids)))
        turns = math.lcm(*(c.turns for c in mine))  # steps that wait for a loader's workers come in bursts
        iterations = turns * math.ceil(min(affordable, max(c.iterations for c in mine)) / turns)
        stamped = [c.stamped for c in mine if c.stamped]
        even = max(min(stamped), min(affordable, max(stamped))) if stamped else 0
        for v, own in zip(ids, mine, strict=True):
            found[v] = replace(
                own, plain=min(c.plain for c in mine), iterations=iterations, stamped=even if own.stamped else 0
            )
    return found


def steps_of(counts: Counts) -> int:
    """The plain and the stamped steps of a trial."""
    return counts.plain * counts.iterations + counts.stamped * counts.turns
