"""The options that several verbs of `python -m bench` take: their types and their help."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.configured import unless_contradicted
from bench.plan.presets import PRESETS

Preset = Annotated[str, typer.Option(help=f"Which variants to measure: {' or '.join(PRESETS)}.")]
Device = Annotated[str, typer.Option(help="cpu, cuda (or cuda:N), mps, xpu (or xpu:N), or all: the CPU and CUDA.")]
AxisValues = Annotated[
    list[str] | None,
    typer.Option("--axis", help="NAME=VALUE,VALUE: measure the preset at these values. Repeatable."),
]
VariantIds = Annotated[
    list[str] | None,
    typer.Option("--variant", help="A variant's id, instead of a preset. Repeatable."),
]
Rounds = Annotated[int | None, typer.Option(min=1, help="Number of rounds.", show_default="12, full: 9, look: 3")]
Delta = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="The change that matters, declared before anything is measured: 5% or 0.05.",
        show_default="3% on a CPU, 2% on a GPU",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        help="Time limit for pilot, rounds and report: 90s, 20m, 2h, or none.", show_default="20m, full: none"
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The memory that the largest batch must fit in: 512MiB, 4GiB.",
        show_default="the device's; on the CPU 80 % of the available memory",
    ),
]
Finalists = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="How many variants the race leaves for the rounds, per device; 0: all of them, without a race.",
        show_default="quick: 3, else 0",
    ),
]
Lockstep = Annotated[
    bool | None,
    typer.Option(
        "--lockstep/--no-lockstep",
        help="Whether the trials of a round take turns step by step, or run one after the other.",
        show_default="on the CPU only",
    ),
]
Model = Annotated[str, typer.Option(help="nin, torchvision.models:NAME or package.module:factory.")]
Task = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="package.module:make, which returns a task: model, batches and loss of your own.",
        callback=unless_contradicted,
    ),
]
Mode = Annotated[
    str,
    typer.Option(metavar="train|infer", help="infer only calls the model, in eval mode, without loss and optimizer."),
]
TaskFromEach = Annotated[
    bool,
    typer.Option("--task-from-each", help="Take the file of --task from each tree, not this tree's for both."),
]
Shape = Annotated[
    str | None,
    typer.Option("--input", help="CxHxW: use seeded random images of this shape instead of Fashion-MNIST."),
]
Classes = Annotated[int, typer.Option(min=2, help="Number of classes of the random images.")]
Data = Annotated[str | None, typer.Option(help="Folder with Fashion-MNIST's four files.")]
Seed = Annotated[
    int | None,
    typer.Option(help="Seed of weights, batches and the order of trials.", show_default="0; the order is random"),
]
OrderSeed = Annotated[
    int | None,
    typer.Option(help="Seed of the order of trials only.", show_default="--seed's, else random"),
]
Prices = Annotated[
    list[str] | None,
    typer.Option(
        "--price", metavar="RUN=PRICE", help="What an hour on a run's machine costs, by the run's name. Repeatable."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for runs.")]
Reports = Annotated[Path, typer.Option(help="Folder for reports.")]
RunId = Annotated[str | None, typer.Option(help="The run's name.")]
Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Continue a run, with this call's --budget and --rounds.")
]
AllowChanged = Annotated[
    bool,
    typer.Option("--allow-changed", help="With --resume: continue even if machine, software or code have changed."),
]
Download = Annotated[bool, typer.Option("--download", help="Let torchvision download the data if it is missing.")]
StoredRun = Annotated[
    str | None, typer.Argument(help="A run's folder, or its name in results/.", show_default="the newest")
]
