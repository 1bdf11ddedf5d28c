"""The options of the verbs over many stored runs: `bench history` and `bench fleet`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import verbs
from bench.cli.calls import check, places
from bench.cli.ends import fail, no_verdict_from_a_crash
from bench.cli.options import Reports
from bench.plan.choices import REPORTS, RESULTS, folder_of

ERROR = 0.05


def history(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...",
            help="Runs, or folders that hold runs, or names in results/. With --commits: -- and the options of ab.",
        ),
    ] = None,
    commits: Annotated[
        str | None,
        typer.Option(metavar="FIRST..LAST", help="Measure these commits first, each beside FIRST by bench ab."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Measure every Nth of the commits, and the last.")] = 1,
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
    """Show speed over many stored runs or over commits, with the changes and the commits on both sides.

    Exit codes: 0 done, 1 a slowdown (--fail-on-slower), 2 usage error, 4 no run, or one that can't be used.
    """
    check(context)
    if not (runs or commits):
        fail("history needs stored runs, or --commits FIRST..LAST")
    places(RESULTS if commits else None, out)
    with no_verdict_from_a_crash():
        named, failed = (
            verbs.history.measured(commits, every, runs or (), out) if commits else (stored(runs or [], "history"), [])
        )
        raise typer.Exit(
            verbs.history.run(
                named, failed, out, canary=not no_canary, error=error, delta=delta, fail_on_slower=fail_on_slower
            )
        )


def fleet(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="A folder that holds a folder for each machine, with its runs. Or folders of runs, or runs: each run "
            "is a machine then.",
        ),
    ],
    error: Annotated[
        float,
        typer.Option(min=0.0001, max=0.5, help="The chance of any outlier in a kind whose machines are all alike."),
    ] = ERROR,
    delta: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="The difference that matters: 0.03 is 3 %.", show_default="0.03; GPU: 0.02"
        ),
    ] = None,
    heavy_tails: Annotated[
        bool, typer.Option("--heavy-tails", help="Take it that alike machines are far off now and then: marks fewer.")
    ] = False,
    fail_on_outlier: Annotated[
        bool, typer.Option("--fail-on-outlier", help="Exit with 1 if a machine is an outlier.")
    ] = False,
    out: Reports = REPORTS,
) -> None:
    """Show stored runs of many machines, each beside the others of its kind, and which are outliers.

    Exit codes: 0 done, 1 an outlier (--fail-on-outlier), 2 usage error, 4 no run, or one that can't be used.
    """
    places(None, out)
    folders = stored(runs, "fleet")
    with no_verdict_from_a_crash():
        raise typer.Exit(
            verbs.fleet.run(
                folders, out, error=error, delta=delta, heavy_tails=heavy_tails, fail_on_outlier=fail_on_outlier
            )
        )


def stored(runs: list[str], verb: str) -> list[Path]:
    """The folders that a call names."""
    folders = [folder_of(RESULTS, run) for run in runs]
    if len({folder.resolve() for folder in folders}) < len(folders):
        fail(f"{verb} needs each run named once")
    return folders
