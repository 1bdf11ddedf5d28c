"""The work of `bench gpu`."""

from pathlib import Path

import typer

from bench.cli.ends import one_line, refused
from bench.core import home
from bench.core.text import visible
from bench.gpu import acceptance


def run(out: Path, budget: str, *, rehearse: bool) -> int:
    """Check the GPU and pack the result; each step prints a line. Returns the exit code."""
    with refused(), one_line():
        home.check(out, "--out")
        return acceptance.run(out, budget, rehearse=rehearse, say=lambda line: typer.echo(visible(line)))
