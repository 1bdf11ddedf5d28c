"""The work of `bench ab`."""

from pathlib import Path

from bench.analyse.ab import changes
from bench.cli.measuring import measure
from bench.cli.verbs.pages import add_to_summary, finish_ab
from bench.plan.choices import Choices


def run(chosen: Choices, resume: str | None, reports: Path, *, strict: bool) -> int:
    """Take the trials, then write the page and print its lines. Returns the exit code."""
    page = finish_ab(measure(chosen, resume), reports)
    add_to_summary(page)
    return changes.exit_code(page.changes, page.deaths, strict=strict)
