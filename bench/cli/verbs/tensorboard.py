"""The work of `bench tensorboard`."""

from pathlib import Path

import typer

from bench.cli import serve
from bench.cli.verbs.pages import write_profile
from bench.core.text import visible
from bench.core.traces import BOARD


def run(folder: Path, port: int, reports: Path) -> int:
    """Write what TensorBoard shows of a run, print its address and serve it. Returns the server's exit code."""
    page = write_profile(folder, reports)
    for line in serve.lines(folder, port, [traced.variant_id for traced in page.traces]):
        typer.echo(visible(line))
    return serve.serve(page.folder / BOARD, port)
