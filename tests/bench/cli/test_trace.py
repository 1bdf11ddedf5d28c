"""The verb `trace` as a person calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from tests.bench.analyse.kineto.rules import document, gpu_events, write


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["trace", *map(str, arguments)])
    return result.exit_code, result.output


def test_it_writes_a_page_and_prints_the_steps_and_its_path(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.pt.trace.json.gz", document(gpu_events()))
    code, output = call(path, "--out", tmp_path / "reports")

    assert code == 0
    assert "mean" in output
    assert "kernel" in output
    assert str(tmp_path / "reports" / "mine") in output.replace("\n", "")
    assert {file.name for file in (tmp_path / "reports" / "mine").iterdir()} >= {"report.md", "report.html", "tables"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("", "it is empty"),
        ("x = 1", "not JSON"),
        ('{"a": 1}', "JSON without a list traceEvents"),
        ('{"traceEvents": []}', "none of its events has a begin and a duration"),
    ],
)
def test_what_is_no_trace_is_one_line_and_a_usage_error(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "trace.json"
    if content is not None:
        path.write_text(content)
    code, output = call(path, "--out", tmp_path / "reports")

    assert code == 2
    assert words in output
    assert len(output.splitlines()) == 1
    assert not (tmp_path / "reports").exists()


def test_a_folder_and_no_file_at_all_are_usage_errors(tmp_path: Path) -> None:
    assert call(tmp_path) == (2, f"bench: {tmp_path}: a folder, not a trace\n")
    assert call()[0] == 2
