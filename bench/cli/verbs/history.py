"""The work of `bench history`."""

from collections.abc import Sequence
from pathlib import Path

from bench.analyse.history.changes import ERROR
from bench.cli.ends import one_line
from bench.core.exits import CHANGED
from bench.report.render import terminal
from bench.report.sides import history_page


def run(
    folders: Sequence[Path], out: Path, *, canary: bool, error: float, delta: float | None, fail_on_slower: bool
) -> int:
    """Write the page of a history, and print its lines. Returns the exit code."""
    options = [] if canary else ["--no-canary"]
    options += [] if error == ERROR else ["--error", f"{error:g}"]
    options += [] if delta is None else ["--delta", f"{delta:g}"]
    with one_line():
        history = history_page.of_folders(folders, Path.cwd(), canary=canary, error=error, delta=delta)
        page = history_page.write(history, folders, out, *options)
    terminal.show_history(page)
    return CHANGED if fail_on_slower and history.slower_now else 0
