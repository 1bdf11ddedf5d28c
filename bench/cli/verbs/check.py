"""The work of `bench check`."""

import typer

from bench.cli.ends import refused
from bench.plan.choices import Choices
from bench.run.prepare.check import check


def run(chosen: Choices, device: str) -> None:
    """Print what was understood."""
    with refused():
        typer.echo(check(chosen, device))
