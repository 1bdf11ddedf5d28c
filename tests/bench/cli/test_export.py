"""The verb `export` as a person calls it."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.run import session
from tests.bench.run.runs import BASE, KEPT, Start


@pytest.fixture
def run(start: Start) -> Path:
    """The folder of a run of two variants."""
    made = start(BASE, KEPT)
    session.execute(made, after_pilot=lambda _: None)
    return made.folder.folder


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return result.exit_code, result.output


def test_without_a_file_the_table_is_printed_and_nothing_else(run: Path) -> None:
    code, output = call(run)

    assert code == 0
    assert set(pd.read_csv(io.StringIO(output)).variant_id) == {BASE, KEPT}


def test_with_a_file_it_is_written_there(run: Path, tmp_path: Path) -> None:
    code, output = call(run, "--format", "bmf", "--out", tmp_path / "run.json")

    assert (code, output) == (0, "")
    assert set(json.loads((tmp_path / "run.json").read_text())) == {BASE, KEPT}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--format", "xml"), 2, "no format 'xml': one of bmf, github-action-benchmark, asv, pytest-benchmark"),
        (("--format", "parquet"), 2, "parquet is no text: name a file with --out"),
        (("--out", "no/such/folder.csv"), 4, "No such file or directory"),
    ],
)
def test_a_wrong_call_is_one_line(run: Path, options: tuple[str, ...], code: int, words: str) -> None:
    ended, output = call(run, *options)

    assert ended == code
    assert words in output
    assert len(output.splitlines()) == 1


def test_a_damaged_run_is_one_line(run: Path) -> None:
    (run / "run.json").write_text("{")
    code, output = call(run)

    assert code == 4
    assert "damaged" in output
