"""What `python -m nin` does, once its options are read."""

import re
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
import typer

from nin.data import DataError, find, load
from nin.loaders import Loader, make_loader
from nin.model import NiN
from nin.train import Evaluation, Setup, Trainer

__all__ = ["DataError", "Setup", "choose_device", "find_batches", "print_shapes", "refuse_without_cuda", "train_all"]

LEARNED_TIMES_CHANCE = 2
"""A training has learned if its accuracy is more than this many times that of guessing."""
MakeBatches = Callable[[int], tuple[Loader, Loader]]
"""Makes train and test batches; draws the order of the train batches from a seed."""


def refuse_without_cuda(setup: Setup) -> None:
    """Raise ValueError for a choice that has an effect on CUDA devices only, if the device is another."""
    if setup.cudnn_benchmark == "on" and setup.device.type != "cuda":
        msg = f"--cudnn-benchmark on would do nothing on {setup.device}: cuDNN runs on CUDA devices only"
        raise ValueError(msg)


def choose_device(name: str | None) -> torch.device:
    """The named torch.device; without a name CUDA if there is one. Raises ValueError if it can't be used."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", name):
        msg = f"--device must be cpu, cuda, cuda:N, mps, xpu or xpu:N, got {name!r}"
        raise ValueError(msg)
    device = torch.device(name)
    count = count_of(device.type)
    if (device.index or 0) >= count:
        msg = f"--device {name}: torch finds {count} {device.type.upper()} devices; use --device cpu"
        raise ValueError(msg)
    return device


def count_of(kind: str) -> int:
    """How many devices of a kind torch can use."""
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    counts: int = torch.get_device_module(kind).device_count()
    return counts


def print_shapes() -> None:
    """Print the notebook's table: the shape of one image's activations after each block."""
    x = torch.rand(1, 1, 224, 224)
    for name, block in NiN().named_children():
        x = block(x)
        typer.echo(f"{name} output shape: {x.shape}")


def find_batches(
    data: str | None, loader: str, batch_size: int, limit: int | None, device: torch.device, *, download: bool
) -> MakeBatches:
    """The function that makes batches of the images, whose source it prints. Raises DataError if they are missing."""
    source = find(data, download=download)
    train_images = load(source, train=True).first(limit)
    test_images = load(source, train=False).first(limit)
    test_batches = make_loader(loader, test_images, batch_size, device=device)
    subset = "; accuracies are accuracies on the subset" if source.is_subset else ""
    typer.echo(f"data: {source.name}, {len(train_images):,} train images{subset}")
    typer.echo(f"train on {device}")
    return lambda seed: (make_loader(loader, train_images, batch_size, device=device, seed=seed), test_batches)


def train_all(setup: Setup, make_batches: MakeBatches, epochs: int, seeds: Sequence[int]) -> None:
    """Train from each seed, and print how many learned if there are several."""
    evaluations = [train(setup, make_batches, epochs, seed) for seed in seeds]
    if len(evaluations) > 1:
        typer.echo(share_words(evaluations))


def train(setup: Setup, make_batches: MakeBatches, epochs: int, seed: int) -> Evaluation:
    """Train from a seed and return the last evaluation.

    Prints a line an epoch, whose seconds include the evaluation as the notebook's do, and after the last one the
    classes that are never predicted, if there are any.
    """
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


def share_words(evaluations: Sequence[Evaluation]) -> str:
    """How many of the trainings learned, and how many predict every class."""
    count, chance = len(evaluations), 1 / len(evaluations[0].predicted)
    learned = sum(test.accuracy > LEARNED_TIMES_CHANCE * chance for test in evaluations)
    whole = sum(not test.never_predicted for test in evaluations)
    accuracies = sorted(test.accuracy for test in evaluations)
    return (
        f"{learned} of {count} seeds learned (test acc above {LEARNED_TIMES_CHANCE * chance:.1f}, twice chance); "
        f"{whole} of {count} predict every class; test acc from {accuracies[0]:.3f} to {accuracies[-1]:.3f}, "
        f"median {median(accuracies):.3f}"
    )
