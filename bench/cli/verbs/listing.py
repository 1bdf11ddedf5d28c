"""The work of `bench list`."""

import typer

from bench.cli.calls import entries_of
from bench.cli.ends import refused
from bench.plan.choices import Choices
from bench.run.prepare.listing import describe


def run(chosen: Choices) -> None:
    """Print the matrix."""
    with refused():
        typer.echo(describe(chosen, entries_of(chosen)))
