"""The work of `bench run`."""

from pathlib import Path

from bench.cli.measuring import measure
from bench.cli.verbs.pages import finish
from bench.plan.choices import Choices


def run(chosen: Choices, resume: str | None, reports: Path) -> None:
    """Take the trials, then write the report and print its table."""
    finish(measure(chosen, resume), reports)
