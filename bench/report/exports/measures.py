"""What a run measured of each variant, as all formats show it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.core.metrics.metric import Better, Metric
from bench.core.metrics.registry import METRICS


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of a variant, with the interval that the report shows; its ends are NaN if it has none."""

    variant_id: str
    metric: Metric
    value: float
    lo: float
    hi: float

    @property
    def is_bounded(self) -> bool:
        """Whether both ends of its interval are known."""
        return not (math.isnan(self.lo) or math.isnan(self.hi))


def judged(data: RunData) -> Iterator[Measure]:
    """The measures by which a variant is judged, as far as they are known: of each variant that has rounds.

    Items a second have the interval of the seconds that they follow from.
    """
    for variant_id in (v for v in data.runnable if len(data.steps.get(v, ()))):
        step = data.spread(variant_id, "wall")
        items = tables.items_of(data, variant_id)
        of_step = [("items_per_s", items / step.estimate, items / step.hi, items / step.lo)]
        for name in ("wall", "process_peak", "allocator_peak"):
            spread = data.spread(variant_id, name, METRICS[name].scope)
            of_step.append((name, spread.estimate, spread.lo, spread.hi))
        for name, value, lo, hi in of_step:
            if not math.isnan(value):
                yield Measure(variant_id=variant_id, metric=METRICS[name], value=value, lo=lo, hi=hi)


def less_is_better(metric: Metric) -> bool:
    """Whether a smaller number is better; memory is not judged on the page, and less of it is better all the same."""
    return metric.better is not Better.MORE
