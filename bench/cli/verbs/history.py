"""The work of `bench history`."""

from collections.abc import Sequence
from pathlib import Path

import typer

from bench.analyse.history import changes
from bench.analyse.history.gather import LeftOut
from bench.cli.ends import fail, one_line, refused
from bench.core.exits import INTERRUPTED
from bench.core.text import visible
from bench.plan.choices import RESULTS
from bench.report.render import terminal
from bench.report.sides import history_page
from bench.run.commits import chosen, measure


def measured(span: str, every: int, options: Sequence[str], reports: Path) -> tuple[list[Path], list[LeftOut]]:
    """Measure the commits that are not measured yet. Returns the folder of their runs, and those that failed."""
    with refused(), one_line():
        commits = chosen.commits(span, every, Path.cwd())
        folder = measure.folder_for(commits, options, RESULTS)
        try:
            failed = measure.measure(commits, options, folder, reports / folder.name, say)
        except KeyboardInterrupt:
            fail("interrupted; the commits that were measured are kept: the same call goes on", INTERRUPTED)
    for commit in failed:
        say(f"{commit.name} could not be measured: {commit.reason}")
    return [folder], [LeftOut(name=commit.name, reason=commit.reason) for commit in failed]


def say(line: str) -> None:
    """Print a line."""
    typer.echo(visible(line))


def run(
    folders: Sequence[Path],
    left_out: Sequence[LeftOut],
    out: Path,
    *,
    canary: bool,
    error: float,
    delta: float | None,
    fail_on_slower: bool,
) -> int:
    """Write the page of a history, and print its lines. Returns the exit code."""
    options = [] if canary else ["--no-canary"]
    options += [] if error == changes.ERROR else ["--error", f"{error:g}"]
    options += [] if delta is None else ["--delta", f"{delta:g}"]
    with one_line():
        history = history_page.of_folders(
            folders, Path.cwd(), canary=canary, error=error, delta=delta, also_left_out=left_out
        )
        page = history_page.write(history, folders, out, *options)
    terminal.show_history(page)
    return changes.exit_code(history, fail_on_slower=fail_on_slower)
