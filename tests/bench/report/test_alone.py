"""Layers alone against layers in place, from a made-up run of known times."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse.load import load
from bench.core.records import RecordError
from bench.report import pages
from bench.report.layers import alone

MakeRun = Callable[..., Path]
BASE = "cpu-default-nchw-eager-b32"
LAYERS = [("0", "Conv2d", 0.2, 0.4), ("1", "ReLU", 0.1, 0.1)]


def write(run: Path, seconds: dict[tuple[str, str, str], float], name: str = "0001_x.json") -> Path:
    """Results as pytest-benchmark keeps them: seconds by layer, phase and cache."""
    path = run / "micro" / "Linux" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [
        {
            "extra_info": {"variant_id": BASE, "layer": layer, "phase": phase, "cache": cache, "page_faults": 7},
            "stats": {"median": value, "rounds": 15},
        }
        for (layer, phase, cache), value in seconds.items()
    ]
    path.write_text(json.dumps({"benchmarks": told}))
    return path


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    """Steps of 1 s, of which the layers take 0.8."""
    return make_run({(BASE, "A"): [1.0] * 8, (BASE, "A'"): [1.0] * 8}, layers=LAYERS)


def text(run: Path, out: Path) -> str:
    return pages.write(load(run), out).path.read_text()


def test_the_sum_of_layers_alone_is_held_against_the_step(run: Path, tmp_path: Path) -> None:
    parts = {
        (layer, phase, cache): 0.1 for layer in "01" for phase in ("forward", "backward") for cache in ("hot", "cold")
    }
    write(run, parts | {("0", "backward", "hot"): 0.2, ("0", "backward", "cold"): 0.3})
    page = text(run, tmp_path)

    assert "Alone, the layers sum to 500 ms with hot caches and 600 ms with cold ones" in page
    assert "the measured step takes 1.00 s, 500 ms longer than the former." in page
    assert "In place the layers take 800 ms, 300 ms longer than alone and hot (most in `0`: 300 ms" in page


def test_some_layers_have_no_sum(run: Path, tmp_path: Path) -> None:
    write(run, {("1", "forward", "hot"): 0.1, ("1", "forward", "cold"): 0.1})

    assert "Alone and hot, 2 of 2 layers were not measured whole, so there is no sum of them." in text(run, tmp_path)


def test_a_layer_measured_by_half_has_no_time_of_its_own(run: Path, tmp_path: Path) -> None:
    parts = {(layer, "forward", cache): 0.1 for layer in "01" for cache in ("hot", "cold")}
    write(run, parts | {("1", "backward", "hot"): 0.25})
    table = alone.beside_place(pages.write(load(run), tmp_path), BASE, alone.read(load(run)))

    assert pytest.approx([0.6, 0.2]) == list(table.in_place)
    assert table.hot.isna().tolist() == [True, False]
    assert pytest.approx(0.35) == table.hot["1"]
    assert table.cold.isna().all()


def test_the_last_result_of_a_layer_counts(run: Path) -> None:
    write(run, {("1", "forward", "hot"): 0.1})
    write(run, {("1", "forward", "hot"): 0.3}, "0002_x.json")

    assert [0.3] == list(alone.read(load(run)).seconds)


def test_a_file_of_something_else_is_an_error_that_names_it(run: Path) -> None:
    write(run, {}).write_text("{}")

    with pytest.raises(RecordError, match=r"0001_x\.json: no results of bench micro"):
        alone.read(load(run))


def test_a_value_of_any_length_makes_a_short_line(run: Path) -> None:
    path = write(run, {("1", "forward", "hot"): 0.1})
    path.write_text(path.read_text().replace('"hot"', f'"{"x" * 5000}"'))

    with pytest.raises(RecordError, match="Invalid enum value 'xxx") as found:
        alone.read(load(run))
    assert len(str(found.value)) < len(str(path)) + 400
