"""The columns of a report's tables that the registry of metrics describes."""

from typing import Any

from bench.analyse.load import RunData
from bench.analyse.stats import Interval
from bench.core.metrics.metric import Metric, MetricTable, Source
from bench.core.metrics.registry import in_table
from bench.core.metrics.sample import Scope
from bench.core.traces import PHASES

Row = dict[str, Any]


def bounded(name: str, interval: Interval) -> Row:
    """Three columns of a row: the estimate and its bounds."""
    return {name: interval.estimate, f"{name}_lo": interval.lo, f"{name}_hi": interval.hi}


def metric_columns(data: RunData, variant_id: str, table: MetricTable) -> Row:
    """The metrics of a table that are medians over a variant's rounds, by column; NaN if one was not measured."""
    row: Row = {}
    for metric in in_table(table):
        if metric.source is not Source.VARIANT:
            row |= _columns(metric, metric.in_table, data.spread(variant_id, metric.name, metric.scope))
        if metric.by_phase:
            for phase in phases_of(data):
                interval = data.spread(variant_id, metric.name, Scope.PHASE, phase=phase)
                row |= _columns(metric, phase + metric.kind.suffix, interval)
    return row


def phases_of(data: RunData) -> list[str]:
    """The phases of a step in their order, then those that only a task's own step has."""
    walls = data.values[(data.values.scope == Scope.PHASE) & (data.values.metric == "wall")]
    return list(dict.fromkeys([*PHASES, *walls.phase]))


def _columns(metric: Metric, name: str, interval: Interval) -> Row:
    return bounded(name, interval) if metric.bounds else {name: interval.estimate}
