"""Runs on the fake worker: what tests of the parent share."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from bench.core.header import Header, read_run
from bench.core.progress import RunProgress
from bench.core.reading import read_rows
from bench.core.records import TRIALS
from bench.run import session
from bench.run.record import Run, resume

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"
LARGEST = "cpu-default-nchw-eager-bmax"

Start = Callable[..., Run]


def execute(run: Run) -> Path:
    session.execute(run, after_pilot=lambda _folder: None)
    return run.folder.folder


def resumed(run: Run, cache: Path, header: Header | None = None) -> Run:
    """The run of the same folder again, gone on with by the same worker."""
    folder = run.folder.folder
    again = resume(folder, header or read_run(folder), RunProgress(Console(file=StringIO())), cache)
    again.worker, again.trees = run.worker, run.trees
    return again


def declare(run: Run, **changes: Any) -> None:  # noqa: ANN401
    """Have a run be declared otherwise."""
    run.header = replace(run.header, plan=replace(run.plan, **changes))


def trials(folder: Path) -> list[dict[str, Any]]:
    return read_rows(folder, TRIALS)[0]


def trees(tmp_path: Path, head: str = "head") -> dict[str, Path]:
    return {"base": tmp_path / "base", "head": tmp_path / head}


def died(folder: Path) -> int:
    return sum(t["status"] != "ok" for t in trials(folder))


def by_round(measured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[t for t in measured if t["round"] == number] for number in dict.fromkeys(t["round"] for t in measured)]
