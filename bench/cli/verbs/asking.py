"""The work of the verbs that measure no run: list, check, roofs."""

import typer

from bench.cli.calls import entries_of
from bench.cli.ends import refused
from bench.plan.choices import Choices
from bench.run.prepare import check as checking
from bench.run.prepare import listing
from bench.run.prepare import roofs as measuring


def list_(chosen: Choices) -> None:
    """Print the matrix."""
    with refused():
        typer.echo(listing.describe(chosen, entries_of(chosen)))


def check(chosen: Choices, device: str) -> None:
    """Print what was understood of a task or a model."""
    with refused():
        typer.echo(checking.check(chosen, device))


def roofs(device: str) -> None:
    """Measure the roofs of a device, and print them."""
    with refused():
        typer.echo(measuring.roofs(device))
