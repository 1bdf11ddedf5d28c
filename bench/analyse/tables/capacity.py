"""How large a batch should fit into memory: a projection from what one batch holds."""

import math
from dataclasses import dataclass, replace

from bench.analyse.load import RunData
from bench.analyse.ratios import batch_of
from bench.core.metrics.tensors import OF_MODEL
from bench.core.variants import LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The largest batch that should fit, and what that follows from."""

    batch: int
    """At least 0."""
    item_bytes: float
    """By how much each item of a batch raises the peak."""
    limit_bytes: int


def capacity(data: RunData, variant_id: str) -> Capacity | None:
    """The largest batch that should fit, from the peak of a variant's own batch; None if something is not known.

    Parameters, gradients and the optimizer's state stay as they are, and so does the rest of the process. All else in
    the allocator's peak grows in proportion to the batch; buffers are not in it on a CPU. On a GPU the peak also has
    the images that a resident loader keeps there, so nothing is projected.
    """
    variant = data.variants[variant_id]
    allocated, peak = (data.spread(variant_id, name, "process").estimate for name in ("allocator_peak", "process_peak"))
    fixed = [
        value.estimate
        for (of, metric, _, _, kind), value in data.spreads.items()
        if (of, metric) == (variant_id, "alive") and kind in OF_MODEL
    ]
    batch, limit_bytes = batch_of(data, variant_id), data.run.plan.limit_bytes(variant)
    item_bytes = (allocated - math.fsum(fixed)) / batch
    if variant.kind.accelerates or not fixed or limit_bytes is None or math.isnan(peak) or not item_bytes > 0:
        return None
    fits = batch + (limit_bytes - peak) / item_bytes
    return Capacity(batch=max(0, int(fits)), item_bytes=item_bytes, limit_bytes=limit_bytes)


def searched(data: RunData, variant_id: str) -> int | None:
    """The largest batch that the run found for a variant with any size of its batch; None if it did not search."""
    largest = replace(data.variants[variant_id], batch_size=LARGEST)
    return data.run.learned.largest.get(largest.id)
