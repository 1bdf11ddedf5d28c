"""The verb `open` as a person calls it."""

import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app

MakeRun = Callable[..., Path]
BASE = "cpu-default-nchw-eager-b32"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked for."""
    addresses: list[str] = []

    def browse(address: str) -> bool:
        addresses.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    return addresses


def test_the_page_is_written_once_and_shown(make_run: MakeRun, tmp_path: Path, opened: list[str]) -> None:
    run, page = make_run({(BASE, "A"): [2.0] * 8}), tmp_path / "reports" / "made-up" / "report.html"
    call = ["open", str(run), "--reports", str(tmp_path / "reports")]
    result = CliRunner().invoke(app, call)

    assert (result.exit_code, result.output) == (0, f"report: {page}\n")
    assert opened == [page.as_uri()]
    page.write_text("kept")
    assert CliRunner().invoke(app, call).exit_code == 0
    assert page.read_text() == "kept"


def test_without_a_browser_the_path_is_enough(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    run = make_run({(BASE, "A"): [2.0] * 8})
    result = CliRunner().invoke(app, ["open", str(run), "--reports", str(tmp_path)])

    assert result.exit_code == 0
    assert "no browser was found: open the page yourself" in result.output


def test_an_ab_is_shown_whatever_its_verdict(
    make_ab: MakeRun, arms: Callable[..., dict[tuple[str, str], list[float]]], tmp_path: Path, opened: list[str]
) -> None:
    run = make_ab(arms(9, 0.5))
    result = CliRunner().invoke(app, ["open", str(run), "--reports", str(tmp_path)])

    assert result.exit_code == 0
    assert len(opened) == 1


def test_a_run_that_is_not_there_is_one_line(tmp_path: Path, opened: list[str]) -> None:
    result = CliRunner().invoke(app, ["open", str(tmp_path / "none")])

    assert result.exit_code == 4
    assert len(result.output.splitlines()) == 1
    assert opened == []
