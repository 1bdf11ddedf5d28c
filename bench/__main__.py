"""`python -m bench`: the verbs. Each is one call; what is slow to import is imported where it is used."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bench.choices import DEFAULT_STEPS, Choices, folder_of, name_run, newest
from bench.environment import cores
from bench.matrix import Entry, ab_matrix, matrix
from bench.options import (
    AxisValues,
    Budget,
    Classes,
    Data,
    Device,
    Download,
    MemoryLimit,
    Model,
    Out,
    Preset,
    Reports,
    Resume,
    Rounds,
    RunId,
    Seed,
    Shape,
    StoredRun,
    VariantIds,
)
from bench.records import RecordError, read_run
from bench.serve import DEFAULT_PORT, HOST
from bench.traces import BOARD
from bench.variants import UsageError

if TYPE_CHECKING:
    from bench.analyse.page import AbPage, TracedPage

USAGE, NOTHING = 2, 4  # exit codes: wrong call; nothing measured, or a file that can't be used
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


def fail(message: object, code: int = USAGE) -> NoReturn:
    """End with one line."""
    typer.echo(f"bench: {message}", err=True)
    raise typer.Exit(code)


@app.callback()
def main() -> None:
    """Measure what training a small CNN costs: layer by layer, variant by variant."""


@app.command()
def run(
    preset: Preset = "quick",
    device: Device = "all",
    axis: AxisValues = None,
    variant: VariantIds = None,
    rounds: Rounds = None,
    budget: Budget = None,
    seed: Seed = 0,
    model: Model = "nin",
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    memory_limit: MemoryLimit = None,
    out: Out = Path("results"),
    reports: Reports = Path("reports"),
    run_id: RunId = None,
    resume: Resume = None,
) -> None:
    """Measure, then write the report and print the variants table."""
    chosen = Choices(
        preset=preset, device=device, axes=tuple(axis or ()), variants=tuple(variant or ()),
        rounds=rounds, budget=budget, seed=seed, model=model, shape=input_, classes=classes,
        data=data, download=download, memory_limit=memory_limit, out=out, run_id=run_id,
    )  # fmt: skip
    finish(measure(chosen, resume), reports)


@app.command()
def ab(
    base: Annotated[
        str | None,
        typer.Option(metavar="REF", help="A commit, branch or tag of this folder's repository, or a folder."),
    ] = None,
    device: Device = "all",
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", help="NAME=VALUE,VALUE: each device's baseline at these values. Repeatable."),
    ] = None,
    variant: VariantIds = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds before any that confirm.", show_default="12")
    ] = None,
    budget: Annotated[str, typer.Option(help="Time for all of it: 90s, 20m, 2h, or none.")] = "none",
    seed: Seed = 0,
    model: Model = "nin",
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    out: Out = Path("results"),
    reports: Reports = Path("reports"),
    run_id: RunId = None,
    resume: Resume = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where a step stays undecided.")] = False,
) -> None:
    """Hold this tree's code against another's: its `nin`, or --model, in one interleaved run.

    Exit codes: 0 no confirmed regression, 1 a confirmed regression, 2 wrong call, 3 undecided (--strict),
    4 nothing measured, or not comparable.
    """
    from bench.analyse import changes  # noqa: PLC0415

    if not (base or resume):
        fail("ab needs --base REF: a commit, branch or tag of this folder's git repository, or a folder")
    chosen = Choices(
        device=device, axes=tuple(axis or ()), variants=tuple(variant or ()), rounds=rounds, budget=budget,
        seed=seed, model=model, shape=input_, classes=classes, data=data, download=download, out=out,
        run_id=run_id, base=base, kind="ab",
    )  # fmt: skip
    with no_verdict_from_a_crash():
        page = finish_ab(measure(chosen, resume), reports)
        add_to_summary(page)
        raise typer.Exit(changes.exit_code(page.changes, strict=strict))


def measure(chosen: Choices, resume: str | None) -> Path:
    """Take the trials of a new run, or what is left of one; its folder."""
    from bench import launch, setup  # noqa: PLC0415

    progress, folder = setup.progress(), None
    try:
        if resume:
            folder = folder_of(chosen.out, resume)
            under_way = setup.go_on(chosen, folder, progress)
        else:
            folder = chosen.out / name_run(chosen)
            under_way = setup.start(chosen, entries_of(chosen), folder, progress)
        if chosen.kind == "ab":
            launch.execute(under_way, after_pilot=lambda _: None, flag=flag)
        else:
            launch.execute(under_way, after_pilot=print_estimates)
        return folder
    except UsageError as error:
        fail(error)
    except RecordError as error:
        fail(error, NOTHING)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error, NOTHING)
    except KeyboardInterrupt:
        if folder is None or not folder.is_dir():
            fail("interrupted before anything was measured", INTERRUPTED)
        fail(
            f"interrupted; what was measured is kept. Go on with {chosen.kind} --out {folder.parent} "
            f"--resume {folder.name}; report what there is with: python -m bench report {folder}",
            INTERRUPTED,
        )


def entries_of(chosen: Choices) -> list[Entry]:
    """The matrix that the options ask for."""
    devices = ["cpu", "cuda"] if chosen.device == "all" else [chosen.device]
    if chosen.kind != "run":
        return ab_matrix(devices, chosen.axes, chosen.variants, chosen.model)
    return matrix(chosen.preset, devices, chosen.axes, chosen.variants, chosen.model, cores())


def print_estimates(folder: Path) -> None:
    """Print the first table, from the pilot alone."""
    from bench.analyse import load, summary  # noqa: PLC0415

    summary.show_estimates(load.load(folder))


def flag(folder: Path) -> list[dict[str, str]]:
    """The cells of `ab` that look changed."""
    from bench.analyse import changes, load  # noqa: PLC0415

    return changes.flagged(load.load(folder))


def finish_micro(folder: Path, reports: Path) -> None:
    """Write the report of a run whose layers were measured alone, print how they add up and where it is."""
    from bench.analyse import load, report, summary  # noqa: PLC0415

    with one_line():
        page = report.write(load.load(folder), reports)
    summary.show_micro(page)


@contextmanager
def refused() -> Iterator[None]:
    """Turn an option that can't be met into one line and exit code 2."""
    try:
        yield
    except UsageError as error:
        fail(error)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what is wrong with a file into one line and exit code 4."""
    try:
        yield
    except RecordError as error:
        fail(error, NOTHING)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error, NOTHING)


def finish(folder: Path, reports: Path) -> None:
    """Write the report of a run, print its table and where it is."""
    from bench.analyse import load, report, summary  # noqa: PLC0415

    with one_line():
        data = load.load(folder)
        page = report.write(data, reports)
    summary.show(page)
    if not len(data.values):
        fail("nothing was measured: the report tells why", NOTHING)


@contextmanager
def no_verdict_from_a_crash() -> Iterator[None]:
    """Turn an error of our own into exit code 4: Python's own, 1, would say that a regression was confirmed."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
        fail("an error of bench itself, told above: nothing is said of the trees", NOTHING)


def finish_ab(folder: Path, reports: Path) -> "AbPage":
    """Write the page of an `ab` and print its lines."""
    from bench.analyse import load, report, summary  # noqa: PLC0415

    with one_line():
        page = report.write_ab(load.load(folder), reports)
    summary.show_ab(page)
    return page


def add_to_summary(page: "AbPage") -> None:
    """Append the head of the page to the file that $GITHUB_STEP_SUMMARY names, where it is set."""
    from bench.analyse import ab  # noqa: PLC0415

    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with one_line(), Path(path).open("a", encoding="utf-8") as file:
            file.write(ab.summary(page))


@app.command("report")
def report_(
    run: StoredRun = None,
    out: Annotated[Path, typer.Option(help="Folder for reports.")] = Path("reports"),
) -> None:
    """Write a run's report again, from its files alone; of an ab with its exit code."""
    results = Path("results")
    try:
        folder = folder_of(results, run) if run else newest(results)
    except UsageError as error:
        fail(error)
    with one_line():
        kind = read_run(folder).get("kind")
    if kind != "ab":
        return finish(folder, out)
    from bench.analyse import changes  # noqa: PLC0415

    with no_verdict_from_a_crash():
        raise typer.Exit(changes.exit_code(finish_ab(folder, out).changes, strict=False))


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Folders of runs, or names in results/.")],
    out: Annotated[Path, typer.Option(help="Folder for reports.")] = Path("reports"),
) -> None:
    """Put stored runs side by side, the first as reference: ratios, no verdicts."""
    from bench.analyse import compare_page, load, summary  # noqa: PLC0415

    folders = [folder_of(Path("results"), run) for run in runs]
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        fail("compare needs two runs or more, each named once")
    with one_line():
        page = compare_page.write([load.load(folder) for folder in folders], out)
    summary.show_compare(page)


@app.command()
def profile(
    run: Annotated[
        str | None,
        typer.Argument(help="A run's folder, or its name in results/, to add to.", show_default="a run of its own"),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            help="A variant by its id. Repeatable.",
            show_default="the baseline, and the fastest of the run",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps in the trace of each variant.")] = DEFAULT_STEPS,
    device: Device = "all",
    seed: Seed = 0,
    model: Model = "nin",
    input_: Shape = None,
    classes: Classes = 10,
    data: Data = None,
    download: Download = False,
    out: Out = Path("results"),
    reports: Reports = Path("reports"),
    run_id: RunId = None,
) -> None:
    """Trace some steps of each variant, for TensorBoard and Perfetto, apart from any timed trial."""
    chosen = Choices(
        device=device, variants=tuple(variant or ()), seed=seed, model=model, shape=input_, classes=classes,
        data=data, download=download, out=out, run_id=run_id, kind="profile",
    )  # fmt: skip
    finish_profile(trace(chosen, run, steps), reports)


def trace(chosen: Choices, run: str | None, steps: int) -> Path:
    """Take the traces of a new run, or of one that is there; its folder."""
    from bench import profile as parent  # noqa: PLC0415
    from bench import setup  # noqa: PLC0415

    progress = setup.progress()
    with refused(), one_line():
        if run is None:
            folder = chosen.out / name_run(chosen)
            under_way = setup.start(chosen, entries_of(chosen), folder, progress)
            ids = [entry.variant.id for entry in under_way.entries]
        else:
            folder = folder_of(chosen.out, run)
            ids = list(chosen.variants) or worth_tracing(folder)
            under_way = setup.add_to(chosen, folder, progress)
        try:
            parent.execute(under_way, ids, steps)
        except KeyboardInterrupt:
            fail("interrupted; the traces that were complete are kept", INTERRUPTED)
    return folder


def worth_tracing(folder: Path) -> list[str]:
    """The ids of a run's variants that are traced unless others are named: each baseline, and the fastest."""
    from bench.analyse import answer, load, tables  # noqa: PLC0415

    data = load.load(folder)
    steps = tables.steps(data)
    groups = answer.groups(data, steps).values()
    return [v for group in groups for v in answer.layered_variants(data, group, set(steps.variant_id))]


def finish_profile(folder: Path, reports: Path) -> None:
    """Write the report of a run with traces, what TensorBoard shows of it, and print where it all is."""
    from bench.analyse import summary  # noqa: PLC0415

    page = write_profile(folder, reports)
    summary.show_profile(page)
    if page.data.traced.empty:
        fail("nothing was traced: the report tells why", NOTHING)


def write_profile(folder: Path, reports: Path) -> "TracedPage":
    """Write a run's report and what TensorBoard shows of it."""
    from bench.analyse import board, load, report  # noqa: PLC0415

    with one_line():
        data = load.load(folder)
        if data.run["kind"] == "ab":
            fail("an ab has no traces: name a run of bench run or of bench profile")
        page = report.write_profile(data, reports) if data.run["kind"] == "profile" else report.write(data, reports)
        board.write(page)
    return page


@app.command()
def tensorboard(
    run: StoredRun = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help=f"The port on {HOST}.")] = DEFAULT_PORT,
    reports: Reports = Path("reports"),
) -> None:
    """Serve a run in TensorBoard on this machine: scalars, variants, tables, figures and its traces."""
    from bench import serve  # noqa: PLC0415

    with refused():
        folder = folder_of(Path("results"), run) if run else newest(Path("results"))
        serve.check(port)
    page = write_profile(folder, reports)
    for line in serve.lines(folder, port, [trace.variant_id for trace in page.traces]):
        typer.echo(line)
    raise typer.Exit(serve.serve(page.folder / BOARD, port))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def micro(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Option(help="A run's folder, or its name in results/.", show_default="the newest")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="A variant by its id.", show_default="the run's first baseline")
    ] = None,
    reports: Reports = Path("reports"),
) -> None:
    """Measure each layer alone with pytest-benchmark, beside a run. pytest's own options are passed on."""
    from bench import alone  # noqa: PLC0415

    with refused(), one_line():
        folder = folder_of(Path("results"), run) if run else newest(Path("results"))
        code = alone.measure(folder, variant, context.args)
    if not code:
        finish_micro(folder, reports)
    raise typer.Exit(code)


@app.command("list")
def list_(
    preset: Preset = "quick",
    device: Device = "all",
    axis: AxisValues = None,
    variant: VariantIds = None,
    rounds: Rounds = None,
    budget: Budget = None,
    model: Model = "nin",
) -> None:
    """Print the matrix: its variants, what can't run here and why, and how long a run may take."""
    from bench import setup  # noqa: PLC0415

    chosen = Choices(
        preset=preset, device=device, axes=tuple(axis or ()), variants=tuple(variant or ()),
        rounds=rounds, budget=budget, model=model,
    )  # fmt: skip
    try:
        typer.echo(setup.describe(chosen, entries_of(chosen)))
    except UsageError as error:
        fail(error)


if __name__ == "__main__":
    app(prog_name="python -m bench")
