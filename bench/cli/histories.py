"""The options of `bench history`."""

from typing import Annotated

import typer

from bench.cli import verbs
from bench.cli.calls import check
from bench.cli.ends import fail, no_verdict_from_a_crash, refused
from bench.cli.options import Reports
from bench.core import home
from bench.plan.choices import REPORTS, RESULTS, folder_of

ERROR = 0.05


def history(
    context: typer.Context,
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs, or folders that hold runs, or names in results/.")
    ],
    error: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="The chance of any mark in a history in which nothing changed."),
    ] = ERROR,
    delta: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="The change that matters: 0.03 is 3 %.", show_default="0.03, GPU: 0.02"),
    ] = None,
    no_canary: Annotated[
        bool, typer.Option("--no-canary", help="Do not take the machine's drift out by the canary.")
    ] = False,
    fail_on_slower: Annotated[
        bool, typer.Option("--fail-on-slower", help="Exit with 1 if the newest change of a variant is a slowdown.")
    ] = False,
    out: Reports = REPORTS,
) -> None:
    """Show speed over many stored runs, with the changes and the commits on both sides.

    Exit codes: 0 done, 1 a slowdown (--fail-on-slower), 2 usage error, 4 no run, or one that can't be used.
    """
    check(context)
    folders = [folder_of(RESULTS, run) for run in runs]
    if len({folder.resolve() for folder in folders}) < len(folders):
        fail("history needs each run named once")
    with refused():
        home.check(out, "--out")
    with no_verdict_from_a_crash():
        raise typer.Exit(
            verbs.history.run(
                folders, out, canary=not no_canary, error=error, delta=delta, fail_on_slower=fail_on_slower
            )
        )
