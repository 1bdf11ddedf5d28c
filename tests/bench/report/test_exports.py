"""Each export is read by the tool that it is for, as far as that tool is a package of Python."""

import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from asv.results import Results
from google.protobuf.json_format import Parse
from msgspec import structs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.core.records import RecordError
from bench.report.exports import measures, suites
from bench.report.exports.formats import Format, exported
from tests.bench.report.made_up import BASE, BEST

COMMIT = "06a00edc2b1f"


@pytest.fixture
def run(full_run: RunData) -> RunData:
    """The made-up run, measured at a commit with changes."""
    return at_commit(full_run, f"{COMMIT}+")


def at_commit(run: RunData, commit: str | None) -> RunData:
    environment = structs.replace(run.run.environment, commit=commit)
    return replace(run, run=structs.replace(run.run, environment=environment))


def read(run: RunData, to: Format) -> object:
    return json.loads(exported(run, to))


def test_the_measures_are_those_of_the_page(run: RunData) -> None:
    steps = tables.steps(run).set_index("variant_id")
    found = {(m.variant_id, m.metric.name): m for m in measures.judged(run)}

    assert {v for v, _ in found} == set(steps[steps.n > 0].index)
    for variant_id in (BASE, BEST):
        wall, rate = found[variant_id, "wall"], found[variant_id, "items_per_s"]
        row = steps.loc[variant_id]
        assert (wall.value, wall.lo, wall.hi) == (row.step_s, row.step_s_lo, row.step_s_hi)
        assert rate.value == row.items_per_s
        assert rate.lo * wall.hi == pytest.approx(rate.value * wall.value)  # the slowest step is the lowest rate


def test_bmf_has_a_benchmark_a_variant_in_benchers_units(run: RunData) -> None:
    """Bencher's latency is in nanoseconds, and bounds are optional (its reference of the format)."""
    benchmarks = read(run, Format.BMF)
    step_s = run.spread(BASE, "wall")

    assert isinstance(benchmarks, dict)
    assert benchmarks[BASE]["latency"] == {
        "value": step_s.estimate * 1e9, "lower_value": step_s.lo * 1e9, "upper_value": step_s.hi * 1e9,
    }  # fmt: skip
    assert benchmarks[BASE]["process-peak"]["value"] == 2**30
    for named in benchmarks.values():
        for values in named.values():
            assert set(values) in ({"value"}, {"value", "lower_value", "upper_value"})
            assert values.get("lower_value", -math.inf) <= values["value"] <= values.get("upper_value", math.inf)


def test_the_action_gets_only_what_is_better_if_it_is_smaller(run: RunData) -> None:
    entries = read(run, Format.ACTION)

    assert isinstance(entries, list)
    by_name = {entry["name"]: entry for entry in entries}
    assert by_name[f"{BASE} step_s"]["value"] == run.spread(BASE, "wall").estimate
    assert by_name[f"{BASE} step_s"]["unit"] == "s"
    assert not [name for name in by_name if name.endswith("items_per_s")]
    texts = [entry.get(key, "") for entry in entries for key in ("name", "unit", "range")]
    assert set(map(type, texts)) == {str}


def test_opentelemetrys_own_messages_take_the_request(run: RunData) -> None:
    request = Parse(exported(run, Format.OTLP), ExportMetricsServiceRequest())
    [resource] = request.resource_metrics
    gauges = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    points = {
        tuple(a.value.string_value for a in point.attributes if a.key in ("variant", "bound")): point.as_double
        for point in gauges["nin_bench.wall"].gauge.data_points
    }

    assert gauges["nin_bench.wall"].unit == "s"
    assert gauges["nin_bench.process_peak"].unit == "By"
    assert points[BASE, "estimate"] == run.spread(BASE, "wall").estimate
    assert points[BASE, "lo"] == run.spread(BASE, "wall").lo
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["nin_bench.run_id"] == "made-up"


@pytest.mark.parametrize("to", [Format.CSV, Format.PARQUET])
def test_the_tidy_table_has_every_estimate_with_its_axes(run: RunData, to: Format) -> None:
    reader = pd.read_csv if to is Format.CSV else pd.read_parquet
    table = reader(io.BytesIO(exported(run, to)))
    row = table[(table.variant_id == BEST) & (table.metric == "wall") & (table.scope == "step")]

    assert len(table) == len(run.spreads)
    assert row.estimate.item() == pytest.approx(run.spread(BEST, "wall").estimate)
    assert row.memory_format.item() == "nhwc"
    assert row.unit.item() == "s"
    assert set(table.rounds) == {0, len(run.steps[BEST])}


def test_a_hostile_name_is_text_that_steers_no_terminal(run: RunData) -> None:
    spreads = {(BASE, "wall", "layer", "a\x1b]0;x\x07\ud800", "forward"): run.spread(BASE, "wall")}
    content = exported(replace(run, spreads=spreads), Format.CSV)

    assert b"\x1b" not in content
    assert len(content.splitlines()) == 2


def test_asv_loads_its_results(run: RunData, tmp_path: Path) -> None:
    path = tmp_path / "nin-bench" / "06a00edc-existing.json"
    path.parent.mkdir()
    path.write_bytes(exported(run, Format.ASV))
    results = Results.load(str(path), "nin-bench")
    seconds = suites.rounds_of(run)[BASE]

    assert results.commit_hash == COMMIT
    assert results.get_result_value(f"step.{BASE}", []) == [sorted(seconds)[len(seconds) // 2]]
    assert results.get_result_samples(f"step.{BASE}", []) == [seconds]


def test_pytest_benchmark_compares_its_results(run: RunData, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(exported(run, Format.PYTEST))
    assert json.loads(path.read_text())["commit_info"] | {"time": None} == {
        "id": COMMIT, "dirty": True, "branch": "", "time": None,
    }  # fmt: skip
    call = [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=median,rounds", "--csv=out.csv"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=True)
    table = pd.read_csv(tmp_path / "out.csv").set_index("name")

    seconds = suites.rounds_of(run)[BASE]
    assert table.loc[f"nin-bench::{BASE}", "median"] == pytest.approx(sorted(seconds)[len(seconds) // 2])
    assert BASE in done.stdout


def test_without_a_commit_asv_has_no_place_for_a_run(full_run: RunData) -> None:
    with pytest.raises(RecordError, match="by commit"):
        exported(at_commit(full_run, None), Format.ASV)


def test_without_rounds_there_are_no_suites(full_run: RunData) -> None:

    with pytest.raises(RecordError, match="no variant has two complete rounds"):
        exported(replace(full_run, steps={}), Format.PYTEST)
