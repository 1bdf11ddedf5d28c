"""The options of `bench sweep`."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, cast, get_args

import typer
from typer.core import TyperCommand

from bench.cli import contradictions, verbs
from bench.cli.calls import check, places
from bench.cli.ends import fail, one_line, refused
from bench.cli.options import Out, Reports
from bench.core.exits import NOTHING
from bench.core.sweep.record import Asked, Cluster
from bench.core.text import shell_word
from bench.core.variants import UsageError
from bench.plan.choices import REPORTS, RESULTS

OURS = ("--run-id", "--out", "--reports", "--resume", "--allow-changed")
"""Options of `bench run` that a sweep gives each of its runs itself."""
OF_CODE = ("--model", "--task", "--data")
"""Options of `bench run` that name code or files: no record of a sweep may bring them in."""
OF_SLURM = ("--nodes", "--partition", "--constraint", "--nodelist", "--slurm")
BESIDE_RESUME = ("--resume", "--out", "--reports")
"""Options that may stand beside --resume without the whole call."""
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def sweep(
    context: typer.Context,
    options: Annotated[
        list[str] | None, typer.Argument(metavar="-- OPTIONS OF RUN", help="The options of each run, behind --.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="slurm|local", help="Where the jobs run: Slurm, or this machine.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, max=9999, help="Number of jobs, each on a node of its own (Slurm).")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=9999, help="Number of jobs, on whichever nodes are free.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Jobs at once on this machine (local): runs disturb each other.")
    ] = 1,
    attempts: Annotated[int, typer.Option(min=1, max=99, help="How often a lost job is tried at most.")] = 3,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.", show_default="the cluster's")] = None,
    constraint: Annotated[str | None, typer.Option(help="Features that nodes must have, as sbatch reads them.")] = None,
    nodelist: Annotated[
        str | None, typer.Option(metavar="NODES", help="The only nodes to use: n1,n2 or n[1-4].")
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(min=1, metavar="MINUTES", help="Time limit of a job.", show_default="Slurm: 120, local: none"),
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=1, help="GPUs of each node.")] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option("--slurm", metavar="KEY=VALUE", help="Another parameter of submitit for Slurm. Repeatable."),
    ] = None,
    out: Out = RESULTS,
    reports: Reports = REPORTS,
    sweep_id: Annotated[
        str | None, typer.Option(help="Name of the sweep.", show_default="date and time, or a sweep to go on with")
    ] = None,
    resume: Annotated[str | None, typer.Option(metavar="SWEEP", help="Go on with this sweep.")] = None,
) -> None:
    """Take one measurement as many jobs, each a whole run on one node, and combine them: nodes are blocks.

    Exit codes: 0 every job has a run with a complete round, 2 usage error, 3 a job has none, 4 none has, 130 Ctrl-C.
    """
    check(context)
    places(out, reports)
    with refused():
        if sweep_id is not None and not NAME.fullmatch(sweep_id):
            fail(f"--sweep-id must be letters, digits, dots, dashes and underscores, got {sweep_id!r}")
        asked = None
        if cluster is not None or resume is None:
            fits(context, cluster, nodes or jobs)
            check_options(context, options or [])
            asked = Asked(
                cluster=cast("Cluster", cluster), jobs=nodes or jobs or 1, spread=nodes is not None,
                attempts=attempts, workers=workers, partition=partition, constraint=constraint,
                nodes=verbs.sweep.hosts(nodelist) if nodelist else [], timeout_min=timeout, gpus=gpus,
                slurm=slurm or [], options=options or [],
            )  # fmt: skip
        elif others := [
            n for n in contradictions.given_options(context) if n not in ("--resume", "--out", "--reports")
        ]:
            fail(f"{', '.join(others)} needs --cluster: give --resume alone, or with the whole call")
    with refused(), one_line():
        begun = verbs.sweep.begin(asked, out, sweep_id, resume)
        if asked is None and not (begun.stored and begun.stored.complete):
            plain(context, begun.asked)
        raise typer.Exit(verbs.sweep.run(begun, reports))


class Command(TyperCommand):
    """`bench sweep` as a command that knows the options of `bench run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own Context
        """The words of a call, parsed. One in which options of `bench run` do not stand behind -- is refused."""
        with refused():
            check_place(ctx, args)
        return super().parse_args(ctx, args)


def check_place(context: typer.Context, words: Sequence[str]) -> None:
    """Raises UsageError if an option that only `bench run` has stands before --, and shows the call that is meant."""
    before = list(words[: words.index("--")] if "--" in words else words)
    only_of_run = names_of(command_of_run(context)) - names_of(context.command) - {*OURS}
    parts: dict[bool, list[str]] = {False: [], True: []}
    is_of_run = False
    for word in before:
        is_of_run = word.partition("=")[0] in only_of_run if word.startswith("--") else is_of_run
        parts[is_of_run].append(word)
    if not parts[True]:
        return
    named = list(dict.fromkeys(word.partition("=")[0] for word in parts[True] if word.startswith("--")))
    said = "is an option of run: put it" if len(named) == 1 else "are options of run: put them"
    meant = ["bench", "sweep", *parts[False], "--", *parts[True], *words[len(before) + 1 :]]
    msg = f"{', '.join(named)} {said} behind --, as in: {' '.join(map(shell_word, meant))}"
    raise UsageError(msg)


def names_of(command: Any) -> set[str]:  # noqa: ANN401 - typer's own Command
    """The names of a command's options."""
    return {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}


def command_of_run(context: typer.Context) -> Any:  # noqa: ANN401 - typer's own Command
    """The command `bench run`."""
    group = context.parent.command if context.parent else None
    return getattr(group, "commands", {})["run"]


def fits(context: typer.Context, cluster: str | None, jobs: int | None) -> None:
    """Raises UsageError if the options of a call do not fit its cluster."""
    if cluster not in get_args(Cluster):
        msg = f"sweep needs --cluster {' or '.join(get_args(Cluster))}" + (f", got {cluster!r}" if cluster else "")
        raise UsageError(msg)
    given = contradictions.given_options(context)
    wrong = [name for name in (OF_SLURM if cluster == "local" else ("--workers",)) if name in given]
    if wrong:
        instead = f": say --jobs {jobs}" if "--nodes" in wrong else ""
        msg = f"{', '.join(wrong)} can't go with --cluster {cluster}{instead}"
        raise UsageError(msg)
    if jobs is None:
        msg = "sweep needs --jobs N" + (", or --nodes N" if cluster == "slurm" else "")
        raise UsageError(msg)


def check_options(context: typer.Context, options: Sequence[str]) -> list[str]:
    """The names of the options of a run. Raises UsageError for one that a sweep gives itself, or that contradicts.

    An option that `bench run` does not have ends the call as it would there.
    """
    inner = command_of_run(context).make_context("run", list(options), parent=context.parent)
    contradictions.refuse(inner)
    given = contradictions.given_options(inner)
    if wrong := [name for name in given if name in OURS]:
        msg = f"{', '.join(wrong)} can't be an option of the runs: the sweep names its runs and their folders"
        raise UsageError(msg)
    return given


def plain(context: typer.Context, asked: Asked) -> None:
    """Raises UsageError if a stored sweep names code or files, or parameters for Slurm: the call must name them."""
    given = check_options(context, asked.options)
    named = [name for name in given if name in OF_CODE]
    if named or asked.slurm or any(":" in word or "task." in word for word in asked.options):
        what = ", ".join(named + ["--slurm"] * bool(asked.slurm)) or "a model or a task"
        fail(f"the sweep names {what}, which is never taken from a file: repeat its whole call with --resume", NOTHING)
