"""The work of `bench trace`."""

from collections.abc import Sequence
from pathlib import Path

from bench.analyse.kineto.reading.reader import TraceError
from bench.cli.ends import fail, one_line
from bench.report.kineto import page as pages
from bench.report.render import terminal


def run(paths: Sequence[Path], out: Path) -> None:
    """Write the page of some traces, and print their steps and its path."""
    for path in paths:
        if not path.is_file():
            fail(f"{path}: {'a folder, not a trace' if path.is_dir() else 'no such file'}")
    try:
        with one_line():
            page = pages.write(paths, out)
    except TraceError as error:
        fail(error)
    terminal.show_trace(page)
