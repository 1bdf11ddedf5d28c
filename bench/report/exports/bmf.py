"""Bencher Metric Format: a JSON object of benchmarks, of measures, of a value with its bounds.

https://bencher.dev/docs/reference/bencher-metric-format/
"""

import json

from bench.analyse.load import RunData
from bench.report.exports.measures import Measure, judged

NANOSECONDS = 1e9
SLUGS = {
    "wall": ("latency", NANOSECONDS), "items_per_s": ("throughput", 1.0),
    "process_peak": ("process-peak", 1.0), "allocator_peak": ("allocator-peak", 1.0),
}  # fmt: skip
"""The measure of each metric, and the factor to its unit: Bencher's own latency is in nanoseconds."""


def text(data: RunData) -> str:
    """The run, a benchmark a variant."""
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for measure in judged(data):
        slug, _ = SLUGS[measure.metric.name]
        benchmarks.setdefault(measure.variant_id, {})[slug] = values(measure)
    return json.dumps(benchmarks, indent=2, allow_nan=False)


def values(measure: Measure) -> dict[str, float]:
    """A value, with its bounds if they are known."""
    _, factor = SLUGS[measure.metric.name]
    bounds = {"lower_value": factor * measure.lo, "upper_value": factor * measure.hi} if measure.is_bounded else {}
    return {"value": factor * measure.value} | bounds
