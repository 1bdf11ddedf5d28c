"""The registry of metrics: it is whole, and what it says is in the files that it names."""

import ast
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import asdict

from bench.analyse.load import load
from bench.core.metrics.metric import Better, Kind, Metric, MetricTable, Source
from bench.core.metrics.registry import METRICS
from bench.core.metrics.sample import Sample, Scope
from bench.core.reading import read_rows
from bench.core.records import SAMPLES, SCOPES
from bench.measure.samples import Samples
from bench.report import pages
from bench.report.render import tensorboard, terminal
from bench.run import session
from bench.run.record import Run

ROOT = Path(__file__).parents[3]
MEASURE = ROOT / "bench" / "measure"
STORED = sorted(path for path in (ROOT / "results").iterdir() if (path / "run.json").is_file())


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


@pytest.mark.parametrize("folder", STORED, ids=lambda path: path.name)
def test_stored_runs_have_the_units_and_scopes_of_the_registry(folder: Path) -> None:
    """They were measured before there was a registry."""
    stored = {(str(row["metric"]), row["unit"], row["scope"]) for row in read_rows(folder, SAMPLES)[0]}
    known = {(name, metric.kind.unit, metric.scope) for name, metric in METRICS.items()}
    parts = {(name, metric.kind.unit, scope) for name, metric in METRICS.items() for scope in ("phase", "layer")}

    assert len(stored) > 20
    assert set() == stored - known - parts


def test_what_the_report_computes_of_a_trial_is_registered() -> None:
    folder = ROOT / "results" / "h100-2026-11-27-rounds"  # its steps were stamped behind a backlog: it has launch gaps
    measured = {row["metric"] for row in read_rows(folder, SAMPLES)[0]}
    registered = {name for name, metric in METRICS.items() if metric.source is Source.TRIAL}

    assert registered == set(load(folder).values.metric) - measured


def variants_table(page: str) -> list[list[str]]:
    """The cells of the page's table of variants, the heading and the rule below it included."""
    lines = page.partition("## Variants\n\n")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_a_metric_is_everywhere_once_it_is_registered_and_measured(
    start: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line in the registry, and a worker that measures it: the two files of the recipe."""
    stalls = Metric(
        name="stalls", kind=Kind.SECONDS, table=MetricTable.STEPS, page="stalled", terminal="stalls", better=Better.LESS
    )
    monkeypatch.setitem(METRICS, "stalls", stalls)
    monkeypatch.setenv("FAKE_METRICS", '[["stalls", "s", 0.125]]')
    run = start("cpu-default-nchw-eager-b32", "cpu-default-nchw-eager-b32-kept")
    session.execute(run, after_pilot=lambda _folder: None)
    report = pages.write(load(run.folder.folder), tmp_path / "reports")
    samples = read_rows(run.folder.folder, SAMPLES)[0]
    stored = csv.DictReader((report.folder / "tables" / "steps.csv").read_text().splitlines())
    heading, _, *shown = variants_table(report.path.read_text())
    cells = terminal.cells_of(report.steps.iloc[0].to_dict())

    assert {("step", "s", 0.125)} == {(s["scope"], s["unit"], s["value"]) for s in samples if s["metric"] == "stalls"}
    assert ["0.125"] * 2 == [row["stalls_s"] for row in stored]
    assert ["125 ms"] * 2 == [row[heading.index("stalled")] for row in shown]
    assert cells["stalls"] == "125 ms"
    assert [0.125] * 2 == list(tensorboard.metrics(report)["stalls_s"])


def test_a_sample_has_the_columns_of_its_file() -> None:
    sample = Sample(probe="steps", scope=Scope.STEP, metric="wall", unit="s", value=7)
    columns = [name for name in SAMPLES.columns if name != "trial_id"]

    assert columns == list(asdict(sample))
    assert SAMPLES.text([{"trial_id": "t00001", **asdict(sample)}]) == "t00001,steps,step,,,,wall,s,1,0,7\n"
    assert tuple(Scope) == SCOPES


def test_a_metric_is_named_once() -> None:
    lines = (MEASURE.parent / "core" / "metrics" / "registry.py").read_text().count('name="')

    assert len(METRICS) == lines
    assert [] == [name for name, metric in METRICS.items() if metric.name != name]


def test_columns_are_named_once() -> None:
    columns = [(metric.table, metric.in_table) for metric in METRICS.values() if metric.table]

    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("shown", [{"page": "lag"}, {"terminal": "lag"}, {"better": Better.LESS}])
def test_a_metric_without_a_column_can_not_be_shown(shown: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"lag: .* table"):
        Metric(name="lag", kind=Kind.SECONDS, **shown)  # type: ignore[arg-type] # one field of several
