"""The work of `bench roofs`."""

import typer

from bench.cli.ends import refused
from bench.run.prepare.roofs import roofs


def run(device: str) -> None:
    """Measure the roofs of a device, and print them."""
    with refused():
        typer.echo(roofs(device))
