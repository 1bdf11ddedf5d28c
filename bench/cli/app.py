"""`python -m bench`: the options of each verb. Its work is a module of `verbs`, loaded when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import asking, configured, histories, serve, sweeps, verbs
from bench.cli.calls import check, places, stored
from bench.cli.ends import fail, no_verdict_from_a_crash, refused
from bench.cli.options import (
    AllowChanged,
    AxisValues,
    Budget,
    Classes,
    Data,
    Delta,
    Device,
    Download,
    Finalists,
    Lockstep,
    MemoryLimit,
    Mode,
    Model,
    OrderSeed,
    Out,
    Preset,
    Prices,
    Reports,
    Resume,
    Rounds,
    RunId,
    Seed,
    Shape,
    StoredRun,
    Task,
    TaskFromEach,
    VariantIds,
)
from bench.cli.serve import DEFAULT_PORT, HOST
from bench.core import home
from bench.plan.choices import DEFAULT_STEPS, REPORTS, RESULTS, Choices, folder_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def main(context: typer.Context) -> None:
    """Measure what training a small CNN costs: layer by layer, variant by variant."""
    home.settle()
    if context.invoked_subcommand in configured.VERBS:
        with refused():
            context.default_map = configured.defaults(Path.cwd())


@app.command()
def run(
    context: typer.Context,
    preset: Preset = "quick",
    device: Device = "all",
    axis: AxisValues = None,
    variant: VariantIds = None,
    rounds: Rounds = None,
    budget: Budget = None,
    delta: Delta = None,
    seed: Seed = None,
    order_seed: OrderSeed = None,
    model: Model = "nin",
    task: Task = None,
    mode: Mode = "train",
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    memory_limit: MemoryLimit = None,
    finalists: Finalists = None,
    lockstep: Lockstep = None,
    out: Out = RESULTS,
    reports: Reports = REPORTS,
    run_id: RunId = None,
    resume: Resume = None,
    allow_changed: AllowChanged = False,
) -> None:
    """Measure, then write the report and print the variants table."""
    check(context)
    chosen = Choices(
        preset=preset, device=device, axes=tuple(axis or ()), variants=tuple(variant or ()),
        rounds=rounds, budget=budget, delta=delta, seed=seed, order_seed=order_seed, model=model, task=task, mode=mode,
        shape=input_, classes=classes, data=data, download=download, memory_limit=memory_limit, finalists=finalists,
        lockstep=lockstep, out=out, run_id=run_id, allow_changed=allow_changed, configured=configured.added(context),
    )  # fmt: skip
    places(None if resume else out, reports)
    verbs.run.run(chosen, resume, reports)


@app.command()
def ab(
    context: typer.Context,
    base: Annotated[
        str | None,
        typer.Option(metavar="REF", help="A commit, branch or tag of this folder's repository, or a folder."),
    ] = None,
    device: Device = "all",
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", help="NAME=VALUE,VALUE: measure each device's baseline at these values. Repeatable."),
    ] = None,
    variant: VariantIds = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Number of rounds before those that confirm.", show_default="12")
    ] = None,
    budget: Annotated[str, typer.Option(help="Time limit for everything: 90s, 20m, 2h, or none.")] = "none",
    delta: Delta = None,
    seed: Seed = None,
    order_seed: OrderSeed = None,
    model: Model = "nin",
    task: Task = None,
    mode: Mode = "train",
    task_from_each: TaskFromEach = False,
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    lockstep: Lockstep = None,
    out: Out = RESULTS,
    reports: Reports = REPORTS,
    run_id: RunId = None,
    resume: Resume = None,
    allow_changed: AllowChanged = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a step stays undecided.")] = False,
    no_confirm: Annotated[
        bool, typer.Option("--no-confirm", help="Take no fresh rounds of what looks changed: nothing is confirmed.")
    ] = False,
) -> None:
    """Compare this tree's code with another's (its `nin`, or --model) in one interleaved run.

    Exit codes: 0 no confirmed regression, 1 a confirmed regression, 2 usage error, 3 undecided (--strict),
    4 nothing measured, or not comparable, 5 this tree dies more often than the base.
    """
    check(context)
    if not (base or resume):
        fail("ab needs --base REF: a commit, branch or tag of this folder's git repository, or a folder")
    chosen = Choices(
        device=device, axes=tuple(axis or ()), variants=tuple(variant or ()), rounds=rounds, budget=budget, delta=delta,
        seed=seed, order_seed=order_seed, model=model, task=task, mode=mode, shape=input_, classes=classes,
        data=data,
        download=download, lockstep=lockstep, out=out, run_id=run_id, base=base, kind="ab", allow_changed=allow_changed,
        task_from_each=task_from_each, configured=configured.added(context), confirm=not no_confirm,
    )  # fmt: skip
    places(None if resume else out, reports)
    with no_verdict_from_a_crash():
        raise typer.Exit(verbs.ab.run(chosen, resume, reports, strict=strict))


@app.command("report")
def report_(
    run: StoredRun = None,
    out: Reports = REPORTS,
    every_layer: Annotated[
        bool, typer.Option("--every-layer", help="Give each layer a row, and each of several blocks that are alike.")
    ] = False,
) -> None:
    """Rewrite a run's report from its files alone. For an ab, exit with its code again."""
    folder = stored(run)
    with refused():
        home.check(out, "--out")
    verbs.report.run(folder, out, every_layer=every_layer)


@app.command("open")
def open_(run: StoredRun = None, reports: Reports = REPORTS) -> None:
    """Show a run's page in a browser: one file, which needs no network."""
    folder = stored(run)
    with refused():
        home.check(reports, "--reports")
    verbs.open.run(folder, reports)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Folders of runs, or names in results/.")],
    price: Prices = None,
    out: Reports = REPORTS,
) -> None:
    """Show stored runs side by side, the first as reference: ratios, no verdicts. With prices also what they cost."""
    folders = [folder_of(RESULTS, run) for run in runs]
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        fail("compare needs two runs or more, each named once")
    with refused():
        home.check(out, "--out")
    verbs.compare.run(folders, out, price or [])


@app.command()
def profile(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="The run to add to: its folder, or its name in results/.", show_default="a run of its own"),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            help="A variant's id. Repeatable.",
            show_default="the baseline, and the fastest of the run",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps in the trace of each variant.")] = DEFAULT_STEPS,
    device: Device = "all",
    seed: Seed = None,
    model: Model = "nin",
    task: Task = None,
    mode: Mode = "train",
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    out: Out = RESULTS,
    reports: Reports = REPORTS,
    run_id: RunId = None,
) -> None:
    """Trace some steps of each variant, for TensorBoard and Perfetto, apart from any timed trial."""
    check(context)
    chosen = Choices(
        device=device, variants=tuple(variant or ()), seed=seed, model=model, task=task, mode=mode, shape=input_,
        classes=classes,
        data=data, download=download, out=out, run_id=run_id, kind="profile", configured=configured.added(context),
    )  # fmt: skip
    places(None if run else out, reports)
    verbs.profile.run(chosen, run, steps, reports)


@app.command()
def tensorboard(
    run: StoredRun = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help=f"The port on {HOST}.")] = DEFAULT_PORT,
    reports: Reports = REPORTS,
) -> None:
    """Serve a run in TensorBoard on this machine: scalars, variants, tables, figures and traces."""
    folder = stored(run)
    with refused():
        serve.check(port)
        home.check(reports, "--reports")
    raise typer.Exit(verbs.tensorboard.run(folder, port, reports))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def micro(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Option(help="A run's folder, or its name in results/.", show_default="the newest")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="A variant's id.", show_default="the run's first baseline")
    ] = None,
    model: Model = "nin",
    task: Task = None,
    data: Data = None,
    download: Download = False,
    reports: Reports = REPORTS,
) -> None:
    """Measure each layer alone with pytest-benchmark, to compare with a run. pytest's own options are passed on."""
    chosen = Choices(model=model, task=task, data=data, download=download)
    raise typer.Exit(verbs.micro.run(chosen, run, variant, list(context.args), reports))


app.command()(asking.gpu)
app.command("list")(asking.list_)
app.command("check")(asking.check_)
app.command()(asking.roofs)
app.command()(asking.export)
app.command()(asking.trace)
app.command()(histories.history)
app.command()(histories.fleet)
app.command(cls=sweeps.Command)(sweeps.sweep)
app.command()(asking.init)
