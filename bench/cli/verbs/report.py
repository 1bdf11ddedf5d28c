"""The work of `bench report`."""

from pathlib import Path

import typer

from bench.analyse.ab import changes
from bench.cli.ends import fail, no_verdict_from_a_crash, one_line
from bench.cli.verbs.pages import finish, finish_ab, finish_profile
from bench.core.header import read_run


def run(folder: Path, out: Path, *, every_layer: bool = False) -> None:
    """Write the page of a run of any kind; for an ab, exit with its code."""
    with one_line():
        kind = read_run(folder).kind
    if every_layer and kind != "run":
        fail(f"--every-layer needs a run of bench run: the page of {kind} has no table of layers")
    if kind == "profile":
        return finish_profile(folder, out)
    if kind != "ab":
        return finish(folder, out, every_layer=every_layer)
    with no_verdict_from_a_crash():
        page = finish_ab(folder, out)
        raise typer.Exit(changes.exit_code(page.changes, page.deaths, strict=False))
