"""The options that several verbs of `python -m bench` take: their types and their help."""

from pathlib import Path
from typing import Annotated

import typer

from bench.plan.presets import PRESETS

Preset = Annotated[str, typer.Option(help=f"Which variants: {' or '.join(PRESETS)}.")]
Device = Annotated[str, typer.Option(help="cpu, cuda (or cuda:N), or all.")]
AxisValues = Annotated[
    list[str] | None,
    typer.Option("--axis", help="NAME=VALUE,VALUE: the preset at these values. Repeatable."),
]
VariantIds = Annotated[
    list[str] | None,
    typer.Option("--variant", help="A variant by its id, in place of a preset. Repeatable."),
]
Rounds = Annotated[int | None, typer.Option(min=1, help="Rounds.", show_default="12, full: 9, look: 3")]
Budget = Annotated[
    str | None,
    typer.Option(help="Time for pilot, rounds and report: 90s, 20m, 2h, or none.", show_default="20m, full: none"),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory in which the largest batch must fit: 512MiB, 4GiB.",
        show_default="the device's, on the CPU 80 % of what is available",
    ),
]
Model = Annotated[str, typer.Option(help="nin, torchvision.models:NAME or package.module:factory.")]
Shape = Annotated[
    str | None,
    typer.Option("--input", help="CxHxW: seeded random images of this shape, not Fashion-MNIST."),
]
Classes = Annotated[int, typer.Option(min=2, help="Classes of the random images.")]
Data = Annotated[str | None, typer.Option(help="Folder with Fashion-MNIST's four files.")]
Seed = Annotated[
    int | None,
    typer.Option(help="Of weights and batches, and of the order of trials.", show_default="0, the order's drawn anew"),
]
OrderSeed = Annotated[
    int | None,
    typer.Option(help="Of the order of trials alone.", show_default="--seed's, else drawn anew"),
]
Out = Annotated[Path, typer.Option(help="Folder for runs.")]
Reports = Annotated[Path, typer.Option(help="Folder for reports.")]
RunId = Annotated[str | None, typer.Option(help="The run's name.")]
Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Go on with a run, under this call's --budget and --rounds.")
]
AllowChanged = Annotated[
    bool,
    typer.Option("--allow-changed", help="With --resume: though machine, software or code are others than at first."),
]
Download = Annotated[bool, typer.Option("--download", help="Let torchvision download the data if none is found.")]
StoredRun = Annotated[
    str | None, typer.Argument(help="A run's folder, or its name in results/.", show_default="the newest")
]
