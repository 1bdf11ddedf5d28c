"""How large a batch should fit into memory: a projection from what one batch holds."""

import math
from dataclasses import dataclass, replace

from bench.analyse.load import RunData
from bench.analyse.ratios import batch_of
from bench.core.metrics.tensors import OF_MODEL
from bench.core.variants import LARGEST, Variant


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

    Parameters, gradients, the optimizer's state and buffers stay as they are. All else in the allocator's peak grows in
    proportion to the batch. On a CPU the rest of the process stays as it is too.
    """
    variant = data.variants[variant_id]
    peaks = {name: data.spread(variant_id, name, "process").estimate for name in ("allocator_peak", "process_peak")}
    fixed = [
        value.estimate
        for (of, metric, _, _, kind), value in data.spreads.items()
        if (of, metric) == (variant_id, "alive") and kind in OF_MODEL
    ]
    batch = batch_of(data, variant_id)
    item_bytes = (peaks["allocator_peak"] - math.fsum(fixed)) / batch
    peak = peaks["allocator_peak" if variant.on_cuda else "process_peak"]
    limit_bytes = limit_of(data, variant)
    if not fixed or limit_bytes is None or math.isnan(peak) or not item_bytes > 0:
        return None
    fits = batch + (limit_bytes - peak) / item_bytes
    return Capacity(batch=max(0, int(fits)), item_bytes=item_bytes, limit_bytes=limit_bytes)


def limit_of(data: RunData, variant: Variant) -> int | None:
    """The bytes that a batch may take: the run's limit, or else all memory of the GPU; None if it is not known."""
    limit_bytes = data.run.plan.limit_bytes(variant)
    gpus, index = data.run.environment.cuda_devices, int(variant.device.partition(":")[2] or 0)
    if limit_bytes is None and variant.on_cuda and index < len(gpus):
        return gpus[index].memory_bytes
    return limit_bytes


def searched(data: RunData, variant_id: str) -> int | None:
    """The largest batch that the run found for a variant with any size of its batch; None if it did not search."""
    largest = replace(data.variants[variant_id], batch_size=LARGEST)
    return data.run.learned.largest.get(largest.id)
