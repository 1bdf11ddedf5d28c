"""One reply from those of all ranks. Pure: nothing runs here."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from msgspec.structs import replace

from bench.core.exchange.messages import Reply
from bench.core.exchange.probe import Probe
from bench.core.metrics.sample import Sample, Scope

SLOWEST = ("wall", "stamped_wall", "first_step")
"""Metrics of a whole step. A step of several ranks has ended when the slowest of them has ended its own."""
ADDED = ("cpu_user", "cpu_system", "page_faults", "involuntary_switches")
"""Metrics of what each process takes from the machine."""


def merged(replies: Sequence[Reply]) -> Reply:
    """The reply of a trial whose ranks were all measured. Raises ValueError if they did not measure the same.

    What is no number of a step, such as the facts of the layers, is the first rank's: it is the same for all.
    """
    items = [reply.items for reply in replies if reply.items]
    peaks = [reply.peak_bytes for reply in replies if reply.peak_bytes is not None]
    return replace(
        replies[0],
        samples=tuple(samples([reply.samples for reply in replies])),
        items=replace(items[0], count=math.fsum(each.count for each in items)) if items else None,
        peak_bytes=sum(peaks) if len(peaks) == len(replies) else None,
    )


def samples(of_ranks: Sequence[Sequence[Sample]]) -> Iterable[Sample]:
    """The samples of the whole trial, and then each rank's own."""
    for same in zip(*of_ranks, strict=True):
        if len({replace(sample, value=0.0) for sample in same}) > 1:
            msg = f"the ranks did not measure the same: {same[0].metric} and {same[1].metric}"
            raise ValueError(msg)
        yield replace(same[0], value=of_all(same))
    for rank, own in enumerate(of_ranks):
        yield from (replace(sample, rank=rank) for sample in own)


def of_all(same: Sequence[Sample]) -> float:
    """The value for the whole trial of what each rank measured: the slowest's, the sum, or for any part the mean.

    The means of the parts of a step add up to the mean of the ranks' steps, as the parts of one process do.
    """
    values, sample = [each.value for each in same], same[0]
    if sample.metric in SLOWEST and sample.scope in (Scope.STEP, Scope.PROCESS):
        return max(values)
    if sample.metric in ADDED or sample.probe == Probe.MEMORY:
        return math.fsum(values)
    return fmean(values)
