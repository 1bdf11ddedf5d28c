"""The registry of metrics: it is whole, and what it says is in the files that it names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.metrics.metric import Better, Kind, Metric, Source
from bench.core.metrics.registry import METRICS
from bench.core.metrics.sample import Sample, Scope
from bench.core.records import SAMPLES, SCOPES
from bench.measure.samples import Samples

MEASURE = Path(__file__).parents[2] / "bench" / "measure"


def names_in(path: Path) -> Iterator[str]:
    """Every text of a file, and every field of its classes: a metric's name stands in one of them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_what_is_registered_is_measured() -> None:
    known = {"weights_as_asked", "weights_that_tell"}  # bench/core/partial.py has their names
    written = known.union(*(names_in(path) for path in MEASURE.rglob("*.py")))
    registered = {metric.name for metric in METRICS.values() if metric.source is Source.SAMPLE}

    assert set() == registered - written


def test_what_is_measured_by_name_is_registered() -> None:
    calls = [
        node.args[0].value
        for path in MEASURE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add"
        if isinstance(node.args[0], ast.Constant)
    ]

    assert len(calls) > 10
    assert [] == [name for name in calls if name not in METRICS]


def test_a_name_that_nobody_registered_is_an_error_at_once() -> None:
    with pytest.raises(LookupError, match=r"unknown metric 'walls': register it in bench/core/metrics/registry\.py"):
        Samples("steps").add("walls", 1.0)


def test_what_the_report_computes_is_not_measured() -> None:
    with pytest.raises(ValueError, match="closure is computed by the report"):
        Samples("steps").add("closure", 1.0)


@pytest.mark.parametrize(
    ("name", "part", "scope", "unit"),
    [
        ("wall", {}, "step", "s"),
        ("wall", {"phase": "forward"}, "phase", "s"),
        ("wall", {"layer": "conv1", "phase": "forward"}, "layer", "s"),
        ("saved", {"layer": "conv1"}, "layer", "B"),
        ("saved", {}, "process", "B"),
        ("energy", {}, "process", "J"),
        ("page_faults", {}, "step", "1"),
    ],
)
def test_unit_and_scope_come_from_the_registry(name: str, part: dict[str, str], scope: str, unit: str) -> None:
    samples = Samples("steps")
    samples.add(name, 2.5, **part, index=3)  # type: ignore[arg-type] # layer and phase are texts
    [sample] = samples.rows

    assert (scope, unit, 2.5, 3) == (sample.scope, sample.unit, sample.value, sample.index)


def test_a_sample_has_the_columns_of_its_file() -> None:
    sample = Sample(probe="steps", scope=Scope.STEP, metric="wall", unit="s", value=7)
    columns = [name for name in SAMPLES.columns if name != "trial_id"]

    assert columns == list(sample.row())
    assert SAMPLES.text([{"trial_id": "t00001", **sample.row()}]) == "t00001,steps,step,,,wall,s,1,0,7\n"
    assert tuple(Scope) == SCOPES


def test_a_metric_is_named_once() -> None:
    lines = (MEASURE.parent / "core" / "metrics" / "registry.py").read_text().count('name="')

    assert len(METRICS) == lines
    assert [] == [name for name, metric in METRICS.items() if metric.name != name]


def test_columns_are_named_once() -> None:
    columns = [(metric.table, metric.in_table) for metric in METRICS.values() if metric.table]

    assert len(set(columns)) == len(columns)


def test_a_metric_without_a_column_is_not_shown() -> None:
    with pytest.raises(ValueError, match="lag is to be shown: it needs a table"):
        Metric(name="lag", kind=Kind.SECONDS, better=Better.LESS)
