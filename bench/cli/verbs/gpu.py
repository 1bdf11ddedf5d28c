"""The work of `bench gpu`."""

from pathlib import Path

import typer

from bench.cli.ends import one_line, refused
from bench.core import home
from bench.core.text import visible
from bench.gpu import acceptance


def run(out: Path, budget: str, *, rehearse: bool, all_tests: bool) -> int:
    """Check the GPU and pack the result. Prints a line per step; returns the exit code."""
    with refused(), one_line():
        home.check(out, "--out")
        return acceptance.run(out, budget, rehearse=rehearse, all_tests=all_tests, say=_say)


def _say(line: str) -> None:
    typer.echo(visible(line))
