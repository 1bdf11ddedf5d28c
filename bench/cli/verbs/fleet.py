"""The work of `bench fleet`."""

from collections.abc import Sequence
from pathlib import Path

from bench.analyse.fleet import verdicts
from bench.analyse.fleet.gather import gather
from bench.analyse.fleet.tails import Tails
from bench.cli.ends import one_line
from bench.report.fleet import page
from bench.report.render import terminal


def run(
    folders: Sequence[Path], out: Path, *, error: float, delta: float | None, heavy_tails: bool, fail_on_outlier: bool
) -> int:
    """Write the page of a fleet, and print its outliers. Returns the exit code."""
    options = [] if error == verdicts.ERROR else ["--error", f"{error:g}"]
    options += [] if delta is None else ["--delta", f"{delta:g}"]
    options += ["--heavy-tails"] if heavy_tails else []
    with one_line():
        tails = Tails.HEAVY if heavy_tails else Tails.NORMAL
        fleet = verdicts.fleet(gather(folders), error=error, delta=delta, tails=tails)
        written = page.write(fleet, folders, out, *options)
    terminal.show_fleet(written)
    return verdicts.exit_code(fleet, fail_on_outlier=fail_on_outlier)
