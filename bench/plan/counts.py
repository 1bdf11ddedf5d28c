"""How many steps the trials of a run take after its pilot: the same number in all variants that are compared.

A median of single steps and a median of means are different numbers of the same steps. If one step in ten takes 50 %
longer, the mean of ten is 5 % above the median step, so identical code would come out slower.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from bench.core.header import Counts
from bench.core.variants import Variant

MOST_SAMPLE_S = 2.0
"""The most that the steps of one sample may take in the slowest variant, and all its stamped steps together."""
MOST_VARIED_S = 20.0
"""The most that all samples of both kinds may take in the slowest variant, if the model's path varies."""


def evened(variants: Iterable[Variant], counts: Mapping[str, Counts], step_s: Mapping[str, float]) -> dict[str, Counts]:
    """The counts by variant id. All variants with one baseline take the same samples with the same steps per sample.

    A sample has as many steps as the fastest variant needs, but the slowest may take no more than MOST_SAMPLE_S for
    them. The variant that can afford the fewest samples sets their number. If the model's path differs between steps,
    the variant that saw it does, as far as the slowest can afford. A variant too slow for stamped steps has none.
    """
    groups: dict[str, list[str]] = {}
    for variant in variants:
        if variant.id in counts and variant.id in step_s:
            groups.setdefault(variant.baseline.id, []).append(variant.id)
    by_variant = dict(counts)
    for ids in groups.values():
        own_counts, slowest_s = [counts[v] for v in ids], max(step_s[v] for v in ids)
        affordable = max(1, int(MOST_SAMPLE_S / slowest_s))
        turns = math.lcm(*(c.turns for c in own_counts))  # steps that wait for a loader's workers come in bursts
        iterations = turns * math.ceil(min(affordable, max(c.iterations for c in own_counts)) / turns)
        plain, stamped = [c.plain for c in own_counts], [c.stamped for c in own_counts if c.stamped] or [0]
        varied = any(c.varied for c in own_counts)
        if varied:
            affordable = int(MOST_VARIED_S / (2 * iterations * slowest_s))
        fewest = max(min(plain), min(affordable, max(plain))) if varied else min(plain)
        even = max(min(stamped), min(affordable, max(stamped)))
        for v, own in zip(ids, own_counts, strict=True):
            by_variant[v] = replace(
                own, plain=fewest, iterations=iterations, stamped=even if own.stamped else 0, varied=varied
            )
    return by_variant


def steps_of(counts: Counts) -> int:
    """The plain and the stamped steps of a trial."""
    return counts.plain * counts.iterations + counts.stamped * counts.stamped_iterations
