"""The page says of each rank what it does and how long it waits; a run of one process alone has no such section."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.analyse import tables
from bench.analyse.load import load
from bench.core.reading import read_rows
from bench.core.records import TRIALS
from bench.report import pages
from bench.report.answer import answer
from bench.report.outcome import ranks

BASE = "cpu-default-nchw-eager-b32"
TWO = f"{BASE}-w2"
MakeRun = Callable[..., Path]


@pytest.fixture
def two(make_run: MakeRun) -> Path:
    """A run whose second rank keeps the first waiting."""
    folder = make_run({(BASE, "A"): [1.0] * 10, (BASE, "A'"): [1.0] * 10, (TWO, "V"): [1.2] * 10})
    for rank, (skew_s, exposed_s) in enumerate(((0.5, 0.6), (0.0, 0.1))):
        add(folder, rank, "wall", "steps,step,,", 1.2)
        add(folder, rank, "skew", "steps,step,,", skew_s)
        add(folder, rank, "collective", "steps,step,,", 0.7)
        add(folder, rank, "wall", "steps,phase,,communication", exposed_s)
    return folder


def add(folder: Path, rank: int, metric: str, scope: str, seconds: float) -> None:
    """A sample of a rank in each trial of two ranks."""
    trials = [row["trial_id"] for row in read_rows(folder, TRIALS)[0] if row["variant_id"] == TWO]
    with (folder / "samples.csv").open("a") as file:
        file.writelines(f"{trial},{scope},{rank},{metric},s,1,0,{seconds}\n" for trial in trials)


def test_each_rank_has_a_row(two: Path, tmp_path: Path) -> None:
    report = pages.write(load(two), tmp_path / "reports")
    table = pd.read_csv(report.folder / "tables" / "ranks.csv").set_index("rank")

    assert list(table.variant_id) == [TWO, TWO]
    assert list(table.skew_s) == [0.5, 0.0]
    assert list(table.communication_s) == [0.6, 0.1]
    assert list(table.step_s) == [1.2, 1.2]
    page = report.path.read_text()
    assert "## Ranks" in page
    assert "| 2 ranks" in page.replace("\\", "")


def test_one_process_has_no_ranks(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [1.0, 1.0, 1.0]}))
    report = pages.write(data, tmp_path / "reports")

    assert tables.ranks(data).empty
    assert not (report.folder / "tables" / "ranks.csv").exists()
    assert "## Ranks" not in report.path.read_text()


def test_scaling_is_the_speed_of_all_ranks_over_one_process(two: Path, tmp_path: Path) -> None:
    report = pages.write(load(two), tmp_path / "reports")
    [row] = pd.read_csv(report.folder / "tables" / "scaling.csv").to_dict("records")

    assert (row["variant_id"], row["ranks"], row["rounds"]) == (TWO, 2, 9)  # the first of ten is the pilot
    assert row["speedup"] == pytest.approx(2 / 1.2, rel=1e-4)  # two batches in 1.2 s, beside one in 1 s
    assert row["efficiency"] == pytest.approx(1 / 1.2, rel=1e-4)
    assert row["efficiency_lo"] <= row["efficiency"] <= row["efficiency_hi"]
    assert "## Scaling" in report.path.read_text()


def test_each_rank_s_parts_add_up(two: Path, tmp_path: Path) -> None:
    for rank, forward_s in enumerate((0.6, 1.1)):  # with the exposed 0.6 and 0.1 s a step of 1.2 s
        add(two, rank, "wall", "layers,layer,conv,forward", forward_s / 2)
        add(two, rank, "wall", "layers,layer,between,forward", forward_s / 2)
        add(two, rank, "wall", "steps,phase,,forward", forward_s)
    report = pages.write(load(two), tmp_path / "reports")
    table = pd.read_csv(report.folder / "tables" / "ranks.csv")
    layers = pd.read_csv(report.folder / "tables" / "rank_layers.csv").set_index(["rank", "layer"])

    assert list(table.closure) == pytest.approx([1.0, 1.0])
    assert list(table.forward_s) == [0.6, 1.1]
    assert list(layers.forward_s) == pytest.approx([0.3, 0.3, 0.55, 0.55])


def test_several_ranks_are_never_the_answer(two: Path) -> None:
    data = load(two)
    steps = tables.steps(data).set_index("variant_id")

    assert steps.items_per_s[TWO] > steps.items_per_s[BASE]
    assert answer.fastest(data, steps.reset_index()) == BASE


def test_an_efficiency_above_1_is_doubted(make_run: MakeRun, tmp_path: Path) -> None:
    slow = make_run({(BASE, "A"): [1.0] * 10, (BASE, "A'"): [1.0] * 10, (TWO, "V"): [0.5] * 10})
    fair = make_run({(BASE, "A"): [1.0] * 10, (BASE, "A'"): [1.0] * 10, (TWO, "V"): [1.2] * 10}, name="fair")

    assert ranks.TOO_GOOD in pages.write(load(slow), tmp_path / "reports").path.read_text()
    assert ranks.TOO_GOOD not in pages.write(load(fair), tmp_path / "reports").path.read_text()


def test_that_memory_was_not_measured_is_said(two: Path, tmp_path: Path) -> None:
    assert ranks.NO_MEMORY in pages.write(load(two), tmp_path / "reports").path.read_text()
