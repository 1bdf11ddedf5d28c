"""The table of sustained stretches: what the rounds say, what a GPU holds, and its energy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.analyse.load import load
from bench.cli.verbs import pages as verb_pages
from bench.report import pages
from bench.report.figures import saving

CPU, GPU, HALF = "cpu-default-nchw-eager-b32", "cuda-default-nchw-eager-b128", "cuda-bf16-nchw-eager-b128"
MakeRun = Callable[..., Path]
STEPS = {(GPU, "A"): [0.01] * 3, (GPU, "A'"): [0.01] * 3, (HALF, "V"): [0.005] * 3}
HEADING = "## Sustained, and its energy"


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is slow, and is held by tests of its own."""
    monkeypatch.setattr(saving, "png", lambda _: b"")


def page_of(folder: Path, out: Path) -> str:
    return pages.write(load(folder), out).path.read_text()


def rows_of(page: str) -> dict[str, list[str]]:
    """The table's cells by the variant's name."""
    lines = page.partition(HEADING)[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {first: rest for first, *rest in cells[2:]}


def test_rates_of_rounds_and_stretch_stand_side_by_side_with_the_energy(make_run: MakeRun, tmp_path: Path) -> None:
    """128 images: in 10 ms of the rounds 12,800 images/s, in 12.5 ms 10,240; 4 J a step are 32 images a joule."""
    once = {
        GPU: {"sustained_begin": 0.01, "sustained": 0.0125, "energy": 4.0},
        HALF: {"sustained_begin": 0.005, "sustained": 0.005},
    }
    page = page_of(make_run(STEPS, once=once), tmp_path / "reports")

    assert rows_of(page) == {
        "baseline": ["12,800", "10,200", "-20 %", "4.00", "32.0"],
        "bf16": ["25,600", "25,600", "0 %", "", ""],
    }
    table = pd.read_csv(tmp_path / "reports" / "made-up" / "tables" / "sustained.csv").set_index("variant_id")
    assert table.items_per_j.dropna().to_dict() == {GPU: 32.0}


def test_without_a_stretch_there_is_no_table(make_run: MakeRun, tmp_path: Path) -> None:
    assert HEADING not in page_of(make_run(STEPS), tmp_path / "reports")
    assert not (tmp_path / "reports" / "made-up" / "tables" / "sustained.csv").exists()


@pytest.mark.parametrize("nothing", [{"sustained": 0.0}, {"energy": 0.0}, {"sustained_begin": 0.0}])
def test_a_file_that_says_nothing_took_time_or_energy_is_blank(
    nothing: dict[str, Any], make_run: MakeRun, tmp_path: Path
) -> None:
    once = {GPU: {"sustained_begin": 0.01, "sustained": 0.0125, "energy": 4.0} | nothing}
    page = page_of(make_run(STEPS, once=once), tmp_path / "reports")

    assert not re.search(r"inf|nan", "".join(rows_of(page)["baseline"]))


def test_the_fastest_of_each_device_is_told_from_the_rounds(make_run: MakeRun) -> None:
    assert verb_pages.fastest(make_run(STEPS | {(CPU, "A"): [1.0] * 3, (CPU, "A'"): [1.0] * 3})) == [HALF, CPU]
