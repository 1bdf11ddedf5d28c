"""The step `training`: whether the notebook's own training reaches what the notebook shows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch

from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from nin.data import find, load
from nin.loaders import make_loader
from nin.model import NiN
from nin.train import Setup, Trainer

SEED = 101
"""The one of seeds 0 to 164 under which all ten classes vary at the start: a dead class gets no gradient."""
NOTEBOOK = {1: 0.767, 5: 0.832}
"""The notebook's test accuracy, by epochs."""
NEAR = 0.03
"""How far it may be from that: the notebook's seed is not known."""
NOTEBOOK_EPOCH_S = 65.0
"""On the notebook's own GPU. A slower one is no fault, so this has no bounds."""
BATCH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The outcome of an epoch, its evaluation included."""

    number: int
    accuracy: float
    """On the test images."""
    seconds: float


def measure(task: Task, to: Recorder) -> None:
    """Train five epochs on all images; in a rehearsal one on a few."""
    count, limit = (1, 16) if task.rehearse else (max(NOTEBOOK), None)
    seconds = []
    for epoch in epochs(torch.device(task.device), count, limit):
        seconds.append(epoch.seconds)
        if (shown := NOTEBOOK.get(epoch.number)) is not None:
            bounds = Bounds(lo=round(shown - NEAR, 3), hi=round(shown + NEAR, 3))
            to.check(f"test accuracy after epoch {epoch.number}, the notebook's {shown}", epoch.accuracy, bounds)
    usual = median(seconds[1:] or seconds)  # the first one starts the device
    to.check(f"seconds per epoch, evaluation included; the notebook's {NOTEBOOK_EPOCH_S:g}", usual, unit="s")


def epochs(device: torch.device, count: int, limit: int | None = None) -> Iterator[Epoch]:
    """Each epoch of `python -m nin --seed 101 --loader resident --sync epoch`, on all images or the first `limit`."""
    source = find()
    train, test = (load(source, train=is_train).first(limit) for is_train in (True, False))
    torch.manual_seed(SEED)
    trainer = Trainer(NiN(), Setup(device=device))
    train_batches = make_loader("resident", train, BATCH, device=device, seed=SEED)
    test_batches = make_loader("resident", test, BATCH, device=device)
    for number in range(1, count + 1):
        started = time.perf_counter()
        trainer.epoch(train_batches)
        accuracy = trainer.evaluate(test_batches).accuracy
        yield Epoch(number=number, accuracy=accuracy, seconds=time.perf_counter() - started)
