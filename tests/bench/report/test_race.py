"""The race on the page: each candidate's standing, who was left, and no verdict from any of it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.analyse.load import load
from bench.analyse.race import ranking
from bench.report import pages
from bench.report.document import Fold, Table
from bench.report.outcome import race
from bench.run import session
from tests.bench.run.runs import BASE, Start

FIVE = [f"cpu-default-nchw-eager-b32-t{count}" for count in (1, 2, 3, 4, 5)]


@pytest.fixture
def raced(start: Start, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of five candidates, the last of which is twice as fast as the baseline."""
    monkeypatch.setenv("FAKE_STEPS", json.dumps(dict(zip(FIVE, (0.9, 0.8, 0.7, 0.6, 0.5), strict=True))))
    run = start(BASE, *FIVE, finalists=2, lockstep=["cpu"])
    session.execute(run, after_pilot=lambda _: None, ranking=ranking)
    return run.folder.folder


def test_each_candidate_has_its_ratio_and_its_rounds(raced: Path, tmp_path: Path) -> None:
    report = pages.write(load(raced), tmp_path / "reports")
    table = pd.read_csv(report.folder / "tables" / "race.csv")

    assert list(table.variant_id) == FIVE[::-1]
    assert list(table.race_ratio.round(3)) == [2.0, 1.667, 1.429, 1.25, 1.111]
    assert list(table.race_rounds) == [2, 2, 2, 1, 1]
    assert list(table.finalist) == [True, True, False, False, False]


def test_the_page_says_how_it_was_measured_and_gives_who_dropped_out_no_verdict(raced: Path, tmp_path: Path) -> None:
    report = pages.write(load(raced), tmp_path / "reports")
    text, steps = report.path.read_text(), report.steps.set_index("variant_id")

    assert "## The race" in text
    assert "A pilot of 6 trials of steps and 3 of memory, 2 rounds of the race, then 2 complete" in text
    assert "took turns sample by sample" in text
    assert steps.items_per_s[FIVE[0]] == pytest.approx(32 / 0.9, rel=1e-4)
    assert steps.ratio.isna()[FIVE[:3]].all()
    assert list(steps.verdict[FIVE[:3]]) == ["", "", ""]
    assert list(steps.n[FIVE]) == [0, 0, 0, 2, 2]


def test_the_page_has_the_speed_of_each_round_beside_those_of_the_same_round(raced: Path, tmp_path: Path) -> None:
    report = pages.report_of(load(raced), tmp_path / "reports")
    section = race.section(report)
    assert section is not None
    (fold,) = section.blocks
    assert isinstance(fold, Fold)
    shown = fold.blocks[0]
    assert isinstance(shown, Table)

    assert [column.heading for column in shown.columns] == ["candidate", "round 1", "round 2", "then"]
    assert [tuple(row[1:]) for row in shown.rows] == [
        ("2.00", "2.00", "in the rounds that count"),
        ("1.67", "1.67", "in the rounds that count"),
        ("1.43", "1.43", "out after round 2"),
        ("1.25", "", "out after round 1"),
        ("1.11", "", "out after round 1"),
    ]


def test_a_run_without_a_race_has_no_such_section(start: Start, tmp_path: Path) -> None:
    run = start(BASE, FIVE[0])
    session.execute(run, after_pilot=lambda _: None)
    report = pages.write(load(run.folder.folder), tmp_path / "reports")

    assert "The race" not in report.path.read_text()
    assert not (report.folder / "tables" / "race.csv").exists()
