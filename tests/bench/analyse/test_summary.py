"""What the terminal shows at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse import report, summary
from bench.analyse.load import load

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
MakeRun = Callable[..., Path]


def test_the_table_and_the_path(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run({(BASE, "A"): [2.0] * 10, (BASE, "A'"): [2.0] * 10, (KEPT, "V"): [1.0] * 10})
    summary.show(report.write(load(folder), tmp_path))
    lines = capsys.readouterr().out.splitlines()

    [kept] = [line.split() for line in lines if KEPT in line]
    assert kept == [KEPT, "32.0", "1.00", "s", "2.00", "[2.00,", "2.00]", "FASTER", "9"]
    assert lines[-1] == f"report: {tmp_path}/made-up/report.md"


def test_the_first_estimates_have_no_verdicts(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show_estimates(load(make_run({(BASE, "A"): [2.0]})))
    out = capsys.readouterr().out

    assert "16.0" in out
    assert "verdict" not in out
