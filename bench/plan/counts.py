"""How many steps the trials of a run take after its pilot: the same number in all variants that are compared.

A median of single steps and a median of means are different numbers of the same steps. If one step in ten takes 50 %
longer, the mean of ten is 5 % above the median step, so identical code would come out slower.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from bench.core.header import Counts
from bench.core.variants import Variant

MOST_SAMPLE_S = 2.0
"""The most that the steps of one sample may take in the slowest variant."""
MOST_KIND_S, LEAST_SAMPLES = 3.0, 3
"""The most that all samples of one kind may take in the slowest variant; but there are three if each has as many."""
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
        even = shared([counts[v] for v in ids], max(step_s[v] for v in ids))
        by_variant |= {
            v: replace(even, warmup=own.warmup, turns=own.turns, stamped=even.stamped if own.stamped else 0)
            for v, own in zip(ids, (counts[v] for v in ids), strict=True)
        }
    return by_variant


def shared(counts: Sequence[Counts], slowest_s: float) -> Counts:
    """The samples that variants with these counts all take. The slowest of them takes `slowest_s` for a step."""
    turns = math.lcm(*(own.turns for own in counts))  # steps that wait for a loader's workers come in bursts
    affordable = max(1, int(MOST_SAMPLE_S / slowest_s))
    iterations = turns * math.ceil(min(affordable, max(own.iterations for own in counts)) / turns)
    varied = any(own.varied for own in counts)
    sample_s = iterations * slowest_s

    def number(of_each: Sequence[int]) -> int:
        """As many samples as all can afford."""
        if varied:
            return max(min(of_each), min(int(MOST_VARIED_S / (2 * sample_s)), max(of_each)))
        return min(*of_each, max(LEAST_SAMPLES, int(MOST_KIND_S / sample_s)))

    stamped = [own.stamped for own in counts if own.stamped] or [0]
    return Counts(
        plain=number([own.plain for own in counts]), iterations=iterations, stamped=number(stamped), varied=varied
    )


def steps_of(counts: Counts) -> int:
    """The plain and the stamped steps of a trial."""
    return (counts.plain + counts.stamped) * counts.iterations
