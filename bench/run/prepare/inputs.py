"""The data of a run's trials, and the memory that the largest batch may take."""

from typing import get_args

from bench.core.axes.kind import MPS
from bench.core.facts import Environment, OtherKind
from bench.core.header import Data, Inputs, MemoryLimits
from bench.core.home import without_home
from bench.core.variants import LARGEST, UsageError
from bench.plan.choices import DATA_CLASSES, Choices, parse_shape, parse_size
from bench.plan.fit import AVAILABLE_SHARE
from bench.plan.matrix import Entry
from nin.files import RANDOM_IMAGES, DataError, find, stored


def find_inputs(choices: Choices) -> tuple[Inputs, Data]:
    """The data of the trials, and how run.json describes it. Raises UsageError if the data is missing."""
    if choices.task is not None:
        inputs = Inputs(folder=None, shape=None, classes=DATA_CLASSES, task=True)
        return inputs, Data(name=f"the batches of {choices.task}", is_subset=False, train_images=None)
    if choices.shape is not None:
        name = f"seeded random images of {choices.shape}"
        inputs = Inputs(folder=None, shape=parse_shape(choices.shape), classes=choices.classes)
        return inputs, Data(name=name, is_subset=False, train_images=RANDOM_IMAGES)
    if choices.classes != DATA_CLASSES:
        msg = "--classes goes with --input: Fashion-MNIST has 10"
        raise UsageError(msg)
    try:
        source = find(choices.data, download=choices.download)
        _, labels = stored(source, train=True)
    except DataError as error:
        raise UsageError(str(error)) from error
    folder = None if source.is_subset else without_home(str(source.folder))
    inputs = Inputs(folder=folder, shape=None, classes=DATA_CLASSES)
    return inputs, Data(name=source.name, is_subset=source.is_subset, train_images=len(labels))


def memory_limits(choices: Choices, runnable: list[Entry], described: Environment) -> MemoryLimits:
    """The bytes that the largest batch may take, by kind of device; None for all that the device has.

    Apple's GPU shares its memory with the CPU: it may take what Metal recommends. Raises UsageError if a limit is given
    and no variant has the largest batch.
    """
    if choices.memory_limit is not None:
        if all(entry.variant.batch_size != LARGEST for entry in runnable):
            msg = "--memory-limit bounds the largest batch: add --axis batch_size=max, or name a variant with bmax"
            raise UsageError(msg)
        size = parse_size(choices.memory_limit)
        return {"cpu": size, "cuda": size, **dict.fromkeys(others_of(runnable), size)}
    available = described.memory_available_bytes
    shared = next((device.memory_bytes for device in described.others(MPS.name)), None)
    limits: MemoryLimits = {"cpu": available and int(AVAILABLE_SHARE * available), "cuda": None}
    for kind in others_of(runnable):
        limits[kind] = shared if kind == MPS.name else None
    return limits


def others_of(entries: list[Entry]) -> list[OtherKind]:
    """The kinds of device among some entries that are neither the CPU nor CUDA."""
    kinds = {entry.variant.kind.name for entry in entries}
    return [kind for kind in get_args(OtherKind) if kind in kinds]
