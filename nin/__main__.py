"""`python -m nin`: train as the notebook does, and print its line per epoch."""

import re
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from nin.choices import words

if TYPE_CHECKING:
    import torch

    from nin.loaders import Loader
    from nin.model import NiN
    from nin.train import Evaluation, Setup

LEARNED_TIMES_CHANCE = 2
"""A training that learned gives so many times the accuracy of guessing, at least."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def fail(message: str) -> NoReturn:
    """End with one line and exit code 2."""
    typer.echo(f"nin: {message}", err=True)
    raise typer.Exit(2)


@app.command()
def main(
    context: typer.Context,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the train images.")] = 5,
    shapes: Annotated[bool, typer.Option("--shapes", help="Print the shape behind each block, and end.")] = False,
    data: Annotated[str | None, typer.Option(help="Folder with Fashion-MNIST's four files.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let torchvision download the data if none is found.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a step.")] = 128,
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first N train and N test images.")] = None,
    loader: Annotated[str, typer.Option(help="notebook, workers or resident.")] = "notebook",
    sync: Annotated[str, typer.Option(help="step: read loss and hits at every step; epoch: once an epoch.")] = "step",
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N.", show_default="cuda if there is one")
    ] = None,
    precision: Annotated[str, typer.Option(help=f"{words('precision')}.")] = "default",
    memory_format: Annotated[str, typer.Option(help=f"{words('memory_format')} (channels_last).")] = "nchw",
    compile_mode: Annotated[str, typer.Option(help=f"{words('compile_mode')}.")] = "eager",
    optimizer: Annotated[str, typer.Option(help=f"{words('optimizer')} (of Adam).")] = "default",
    cudnn_benchmark: Annotated[str, typer.Option(help="on: cuDNN tries its algorithms for each shape; off.")] = "off",
    seed: Annotated[int, typer.Option(help="Of the weights, the order and the dropout.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Train so many times, from seed on, and tell which learn.")] = 1,
) -> None:
    """Train Network in Network on Fashion-MNIST at 224x224 with Adam 0.002, as the notebook does."""
    from nin.model import NiN  # noqa: PLC0415 - --help must not wait for torch
    from nin.train import Setup  # noqa: PLC0415

    refuse_contradictions(context)
    if shapes:
        print_shapes(NiN())
        return
    try:
        setup = Setup(
            device=choose_device(device),
            precision=precision,
            memory_format=memory_format,
            compile_mode=compile_mode,
            optimizer=optimizer,
            sync=sync,
            cudnn_benchmark=cudnn_benchmark,
        )
        refuse_without_cuda(setup)
        batches = find_batches(data, loader, batch_size, limit, setup.device, download=download)
        ended = [train(setup, batches, epochs, number) for number in range(seed, seed + seeds)]
    except ValueError as error:
        fail(str(error))
    if seeds > 1:
        typer.echo(share_words(ended))


def refuse_contradictions(context: typer.Context) -> None:
    """End with one line where an option would have no effect beside another."""
    given = [
        name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    options = [f"--{name.replace('_', '-')}" for name in given]
    if "--shapes" in options and len(options) > 1:
        fail(f"--shapes prints and ends: take back {', '.join(o for o in options if o != '--shapes')}")
    if {"--data", "--download"} <= set(options):
        fail("--data can't go with --download: a folder that is named is not downloaded to")


def refuse_without_cuda(setup: "Setup") -> None:
    """Raise ValueError for a choice that would have no effect on a device other than CUDA's."""
    if setup.cudnn_benchmark == "on" and setup.device.type != "cuda":
        msg = f"--cudnn-benchmark on would do nothing on {setup.device}: cuDNN runs on CUDA devices only"
        raise ValueError(msg)


def choose_device(name: str | None) -> "torch.device":
    """The named torch.device, or CUDA where there is one; ValueError where it can't be used."""
    import torch  # noqa: PLC0415

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        msg = f"--device must be cpu, cuda or cuda:N, got {name!r}"
        raise ValueError(msg)
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        msg = f"--device {name}: torch finds {torch.cuda.device_count()} CUDA devices; use --device cpu"
        raise ValueError(msg)
    return device


def print_shapes(model: "NiN") -> None:
    """Print the notebook's table: the shape of one image's activations behind each block."""
    import torch  # noqa: PLC0415

    x = torch.rand(1, 1, 224, 224)
    for name, block in model.named_children():
        x = block(x)
        typer.echo(f"{name} output shape: {x.shape}")


MakeBatches = Callable[[int], "tuple[Loader, Loader]"]
"""Train and test batches, the former in an order drawn from a seed."""


def find_batches(
    data: str | None, loader: str, batch_size: int, limit: int | None, device: "torch.device", *, download: bool
) -> MakeBatches:
    """Look for the images and say which were found; what makes batches of them."""
    from nin.data import DataError, find, load  # noqa: PLC0415
    from nin.loaders import make_loader  # noqa: PLC0415

    try:
        source = find(data, download=download)
        train_images = load(source, train=True).first(limit)
        test_images = load(source, train=False).first(limit)
    except DataError as error:
        fail(str(error))
    test_batches = make_loader(loader, test_images, batch_size, device=device)
    subset = "; accuracies are accuracies on the subset" if source.is_subset else ""
    typer.echo(f"data: {source.name}, {len(train_images):,} train images{subset}")
    typer.echo(f"train on {device}")
    return lambda seed: (make_loader(loader, train_images, batch_size, device=device, seed=seed), test_batches)


def train(setup: "Setup", make_batches: MakeBatches, epochs: int, seed: int) -> "Evaluation":
    """Train from a seed and print a line an epoch, whose seconds include the evaluation as the notebook's do.

    Behind the last one, the classes that are never predicted, if there are any; what the last evaluation gave.
    """
    import time  # noqa: PLC0415

    import torch  # noqa: PLC0415

    from nin.model import NiN  # noqa: PLC0415
    from nin.train import Trainer  # noqa: PLC0415

    torch.manual_seed(seed)
    trainer = Trainer(NiN(), setup)
    train_batches, test_batches = make_batches(seed)
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        loss, train_accuracy = trainer.epoch(train_batches)
        test = trainer.evaluate(test_batches)
        seconds = time.perf_counter() - start
        typer.echo(
            f"epoch {epoch}, loss {loss:.4f}, train acc {train_accuracy:.3f}, "
            f"test acc {test.accuracy:.3f}, time {seconds:.1f} sec"
        )
    if test.never_predicted:
        typer.echo(f"seed {seed} never predicts {', '.join(map(str, test.never_predicted))}")
    return test


def share_words(ended: "Sequence[Evaluation]") -> str:
    """How many of the trainings learned, and how many predict every class."""
    chance = 1 / len(ended[0].predicted)
    learned = sum(test.accuracy > LEARNED_TIMES_CHANCE * chance for test in ended)
    whole = sum(not test.never_predicted for test in ended)
    accuracies = sorted(test.accuracy for test in ended)
    return (
        f"{learned} of {len(ended)} seeds learned (test acc above {LEARNED_TIMES_CHANCE * chance:.1f}, twice chance); "
        f"{whole} of {len(ended)} predict every class; test acc from {accuracies[0]:.3f} to {accuracies[-1]:.3f}, "
        f"median {median(accuracies):.3f}"
    )


if __name__ == "__main__":
    app(prog_name="python -m nin")
