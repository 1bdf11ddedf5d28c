"""Metrics of OpenTelemetry, in the JSON of its protocol (OTLP), as a collector takes them at /v1/metrics.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import json
import math

from bench.analyse.load import RunData, variant_axes
from bench.core.metrics.metric import Metric
from bench.report.exports.measures import Measure, judged

NAMESPACE = "nin_bench"
UNITS = {"B": "By"}
"""Units whose name in UCUM, which OpenTelemetry uses, is another."""
ENDS = ("estimate", "lo", "hi")
"""The points of a measure: its value and the ends of its interval, told apart by the attribute `bound`."""


def text(data: RunData) -> str:
    """The run as one request: a gauge a metric, whose points have a variant and its axes as attributes."""
    by_metric: dict[str, list[Measure]] = {}
    for measure in judged(data):
        by_metric.setdefault(measure.metric.name, []).append(measure)
    run = data.run
    resource = {"service.name": "nin-bench", "nin_bench.run_id": run.run_id, "nin_bench.data": run.data.name}
    resource |= {"host.cpu.model.name": run.environment.cpu or "", "nin_bench.torch": run.environment.torch or ""}
    metrics = [gauge(data, measures) for measures in by_metric.values()]
    scope = {"scope": {"name": NAMESPACE}, "metrics": metrics}
    request = {"resourceMetrics": [{"resource": {"attributes": attributes(resource)}, "scopeMetrics": [scope]}]}
    return json.dumps(request, indent=2, allow_nan=False)


def gauge(data: RunData, measures: list[Measure]) -> dict[str, object]:
    """A metric with the points of all its measures."""
    metric = measures[0].metric
    points = [
        point(data, measure, bound, value)
        for measure in measures
        for bound, value in zip(ENDS, (measure.value, measure.lo, measure.hi), strict=True)
        if not math.isnan(value)
    ]
    return {"name": f"{NAMESPACE}.{metric.name}", "unit": unit(metric), "gauge": {"dataPoints": points}}


def unit(metric: Metric) -> str:
    """The metric's unit by UCUM."""
    return UNITS.get(metric.kind.unit, metric.kind.unit)


def point(data: RunData, measure: Measure, bound: str, value: float) -> dict[str, object]:
    """A number of a variant, at the time when the run ended."""
    ended = data.run.state.finished_at or data.run.started_at
    named = {"variant": measure.variant_id, "bound": bound} | variant_axes(data, measure.variant_id)
    return {
        "attributes": attributes(named),
        "timeUnixNano": str(int(ended.timestamp() * 1e6) * 1000),
        "asDouble": value,
    }


def attributes(named: dict[str, str]) -> list[dict[str, object]]:
    """Attributes with texts as values."""
    return [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
