"""The options of the verbs that measure no run: what could be measured, what a device can do, what others recorded."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import starter, verbs
from bench.cli.calls import check, stored
from bench.cli.ends import one_line, refused
from bench.cli.options import (
    AxisValues,
    Budget,
    Classes,
    Device,
    Mode,
    Model,
    Preset,
    Reports,
    Rounds,
    Shape,
    StoredRun,
    Task,
    VariantIds,
)
from bench.core import home
from bench.core.axes.device import DEVICE
from bench.plan.choices import REPORTS, Choices


def gpu(
    out: Annotated[Path, typer.Option(help="Folder for the result: new, or empty.")],
    budget: Annotated[str, typer.Option(help="Time limit for everything: 90s, 9m.")] = "9m",
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run every step on the CPU, with tiny sizes: says nothing about a GPU.")
    ] = False,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Run every test marked gpu, not nine of them: raise --budget.")
    ] = False,
) -> None:
    """Check that measurements on this machine's GPU are true, and pack a folder that you can send back.

    Exit codes: 0 nothing failed, 1 a check failed, 2 usage error, 4 nothing could be measured.
    """
    raise typer.Exit(verbs.gpu.run(out, budget, rehearse=rehearse, all_tests=all_tests))


def list_(
    context: typer.Context,
    preset: Preset = "quick",
    device: Device = "all",
    axis: AxisValues = None,
    variant: VariantIds = None,
    rounds: Rounds = None,
    budget: Budget = None,
    model: Model = "nin",
    task: Task = None,
    mode: Mode = "train",
    input_: Shape = None,
    classes: Classes = 10,
) -> None:
    """Print the matrix of variants, which of them can't run here and why, and how long a run may take."""
    check(context)
    chosen = Choices(
        preset=preset, device=device, axes=tuple(axis or ()), variants=tuple(variant or ()),
        rounds=rounds, budget=budget, model=model, task=task, mode=mode, shape=input_, classes=classes,
    )  # fmt: skip
    verbs.asking.list_(chosen)


def roofs(
    device: Annotated[str, typer.Option(help=f"{DEVICE.pattern_words}.")] = "cpu",
) -> None:
    """Measure what a device can do at most: operations a second by type, bytes a second by the way memory is used."""
    verbs.asking.roofs(device)


def check_(
    context: typer.Context,
    task: Task = None,
    model: Model = "nin",
    input_: Shape = None,
    classes: Classes = 10,
    device: Annotated[str, typer.Option(help=f"{DEVICE.pattern_words}.")] = "cpu",
) -> None:
    """Take one step of a task or a model, and say what was understood: phases, layers, items, and what can vary."""
    check(context)
    verbs.asking.check(Choices(task=task, model=model, shape=input_, classes=classes), device)


def export(
    run: StoredRun = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="bmf, github-action-benchmark, asv, pytest-benchmark, csv-tidy, parquet or otlp-json.",
        ),
    ] = "csv-tidy",
    out: Annotated[Path | None, typer.Option(help="The file to write.", show_default="print it")] = None,
) -> None:
    """Write a run in the format of another tool."""
    verbs.export.run(stored(run), format_, out)


def trace(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Traces of torch.profiler: .json or .json.gz, one a rank.")
    ],
    out: Reports = REPORTS,
) -> None:
    """Write a page about any trace of torch.profiler: steps, operators, kernels, modules, memory, ranks, a timeline."""
    with refused():
        home.check(out, "--out")
    verbs.trace.run(files, out)


def init(
    file: Annotated[Path, typer.Argument(help="The file to write: a new one.", show_default=True)] = Path("mytask.py"),
) -> None:
    """Write a task to start from: a small model that works as it is, with comments on every part."""
    with refused(), one_line():
        typer.echo(starter.write(file))
