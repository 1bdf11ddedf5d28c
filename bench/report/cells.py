"""The cells of a table's metrics, with a format for each kind of number."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.core.metrics.metric import Kind, Metric
from bench.report.words import Number, count, interval, number, percent, size, spread_seconds

Row = Mapping[str, Any]
Format = Callable[[float, float, float], str]


def alone(form: Callable[[float], str]) -> Format:
    """The format of numbers that are shown without their bounds."""
    return lambda estimate, _lo, _hi: form(estimate)


def joules(value: float) -> str:
    """Joules: 4.20 J."""
    return "" if math.isnan(value) else Number(f"{number(value)} J", value)


FORMATS: dict[Kind, Format] = {
    Kind.SECONDS: spread_seconds,
    Kind.BYTES: alone(size),
    Kind.JOULES: alone(joules),
    Kind.FLOPS: alone(number),
    Kind.FLOPS_PER_S: alone(number),
    Kind.BYTES_PER_S: alone(number),
    Kind.COUNT: alone(count),
    Kind.NUMBER: alone(number),
    Kind.SHARE: alone(percent),
    Kind.RATIO: interval,
}


def with_bounds(metric: Metric, row: Row) -> str:
    """A metric's cell in a row of its table, with its bounds in brackets if it has any; empty if it is not known."""
    name = metric.in_table
    lo, hi = (row[f"{name}_lo"], row[f"{name}_hi"]) if metric.bounds else (math.nan, math.nan)
    return FORMATS[metric.kind](row[name], lo, hi)


def estimate(metric: Metric, row: Row) -> str:
    """A metric's cell without bounds."""
    return FORMATS[metric.kind](row[metric.in_table], math.nan, math.nan)


def of_page(metrics: Iterable[Metric], row: Row, unit: str) -> dict[str, str]:
    """The cells, by heading, of the row's metrics that the page shows; `unit` is what a step works through."""
    shown = (metric for metric in metrics if metric.page and metric.in_table in row)
    return {metric.page.format(unit=unit): with_bounds(metric, row) for metric in shown}


def of_terminal(metrics: Iterable[Metric], row: Row, unit: str) -> dict[str, str]:
    """The cells, by heading, of the row's metrics that the terminal shows."""
    shown = (metric for metric in metrics if metric.terminal and metric.in_table in row)
    return {metric.terminal.format(unit=unit): estimate(metric, row) for metric in shown}
