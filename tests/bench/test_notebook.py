"""A run from a notebook: how a call becomes a command, and what is shown of a run."""

import os
import sys
from pathlib import Path

import pytest

from bench.notebook import MeasureError, arguments, measure, name_of, printed, result
from bench.report.document import Fold, Paragraph, Section, Table
from bench.report.html import blocks
from tests.bench.tasks import odd_tasks

RUN = Path(__file__).parents[2] / "results" / "example"


def test_options_are_those_of_the_command_line() -> None:
    options = {
        "preset": "look", "axis": {"precision": ["fp32", "bf16"], "task.width": 64}, "variant": ("a", "b"),
        "rounds": 3, "order_seed": None, "lockstep": False, "download": True, "allow_changed": False,
    }  # fmt: skip

    assert arguments(options) == [
        "--preset", "look", "--axis", "precision=fp32,bf16", "--axis", "task.width=64", "--variant", "a", "--variant",
        "b", "--rounds", "3", "--no-lockstep", "--download",
    ]  # fmt: skip


def test_a_function_of_a_module_is_named_and_one_of_a_cell_is_refused() -> None:
    def make() -> None: ...

    assert name_of("mytask:make") == "mytask:make"
    assert name_of(odd_tasks.sized) == f"{odd_tasks.__name__}:sized"
    assert name_of(odd_tasks.Plain) == f"{odd_tasks.__name__}:Plain"
    assert name_of(os.path) == f"{os.path.__name__}:"
    with pytest.raises(ValueError, match=r"%%writefile mytask\.py"):
        name_of(make)


def test_lines_are_printed_as_they_come_and_the_last_one_says_why_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    failing = [sys.executable, "-c", "print('one'); raise SystemExit('bench: no such preset')"]

    assert printed(failing) == "bench: no such preset"
    assert capsys.readouterr().out.splitlines() == ["one", "bench: no such preset"]
    assert printed([sys.executable, "-c", "print('one')"]) == ""


def test_a_wrong_option_is_an_error_with_the_line_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="preset"):
        measure(preset="no_such", out=tmp_path)


def test_a_stored_run_shows_its_answer_and_its_variants() -> None:
    stored = result(RUN)
    shown = stored._repr_html_()

    assert "<h1>" in shown
    assert shown.count("<table>") >= 1
    assert "FASTER" in shown
    assert set(stored.steps.variant_id) == set(stored.report.data.runnable)
    assert not stored.layers.empty
    assert stored.folder == RUN


def test_what_files_hold_stays_text_in_html() -> None:
    script = "<script>alert(1)</script>"
    shown = blocks.text([Section(script, [Paragraph(script), Table.of([{script: script}]), Fold(script, [])])])

    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 6  # one names the table


@pytest.mark.slow
def test_a_task_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = Path(__file__).parent / "tasks"
    monkeypatch.setenv("PYTHONPATH", f"{tasks}{os.pathsep}{Path(__file__).parents[2]}")
    ids = ["cpu-default-nchw-eager-b32-odd_tasks:Plain", "cpu-default-nchw-eager-b32-kept-odd_tasks:Plain"]
    made = measure("odd_tasks:Plain", variant=ids, rounds=1, out=tmp_path, reports=tmp_path / "reports")

    assert set(made.steps.variant_id) == set(ids)
    assert made.page.is_file()
    assert "odd_tasks" in made._repr_html_()
