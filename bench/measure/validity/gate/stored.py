"""What the gate computes once a run: files in the run's scratch folder, written by one trial and read by later ones.

A file's name has a digest of all that its content depends on, so a file is never used for anything else. The content is
data: tensors, numbers and text, read without running code. A missing or damaged file costs time, and no result.
"""

import contextlib
import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from bench.measure.devices.find import backend_of
from bench.measure.system.flags import axes_of
from bench.measure.validity.gate.rounding import precision_of
from bench.measure.workload import Workload

MOST_BYTES = 2 * 1024**3
"""The bytes of all files of a folder together: what would be more is not written."""

T = TypeVar("T")
Content = dict[str, Any]
"""The data of a file: tensors, numbers and text by name."""


class Store:
    """The files of one folder; without a folder, nothing is stored."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else None

    def once(
        self,
        kind: str,
        depends_on: object,
        compute: Callable[[], T],
        packed: Callable[[T], object],
        unpacked: Callable[[Any], T],
    ) -> T:
        """What `compute` returns, from a file if there is one.

        `packed` makes data of it. `unpacked` undoes that, and raises any exception if the data is not what is needed.
        """
        if self.folder is None:
            return compute()
        # Whatever fails here costs time and no result: a border that is no data, a full disk, a file of something else.
        file = None
        with contextlib.suppress(Exception):
            file = self.folder / f"{kind}-{digest(depends_on)}.pt"
            return unpacked(read(file))
        result = compute()
        if file:
            with contextlib.suppress(Exception):
                write(file, packed(result))
        return result


NOTHING_STORED = Store()


def read(file: Path) -> object:
    """The data in a file. Raises an exception if it is missing or damaged."""
    with zipfile.ZipFile(file) as archive:
        if damaged := archive.testzip():  # torch.load does not compare the checksums
            msg = f"{damaged} is damaged"
            raise ValueError(msg)
    return torch.load(file, map_location="cpu", weights_only=True)


def write(file: Path, content: object) -> None:
    """Writes a file as a whole or not at all; not at all if the folder would hold more than MOST_BYTES."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if size_bytes(content) + sum(other.stat().st_size for other in file.parent.iterdir()) > MOST_BYTES:
        return
    unfinished = file.with_suffix(f".{os.getpid()}")
    try:
        torch.save(content, unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def size_bytes(content: object) -> int:
    """The bytes of all tensors in dicts, lists and tuples."""
    if isinstance(content, torch.Tensor):
        return content.nbytes
    inner = content.values() if isinstance(content, Mapping) else content if isinstance(content, list | tuple) else ()
    return sum(map(size_bytes, inner))


def digest(value: object) -> str:
    """The SHA-256 of a value: of tensors their types, shapes and bytes, of files the bytes, of all else its `repr`."""
    sha = hashlib.sha256()

    def add(inner: object) -> None:
        if isinstance(inner, torch.Tensor):
            sha.update(f"{inner.dtype} {tuple(inner.shape)};".encode())
            sha.update(inner.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        elif isinstance(inner, Path):
            content = inner.read_bytes()
            sha.update(f"{inner} {len(content)};".encode() + content)
        elif isinstance(inner, list | tuple | Mapping):
            sha.update(f"{len(inner)} of ".encode())
            for item in inner.items() if isinstance(inner, Mapping) else inner:
                add(item)
        else:
            sha.update(f"{inner!r};".encode())

    add(value)
    return sha.hexdigest()


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a model by name, those that its state leaves out too."""
    return {name: tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers())}


@torch.no_grad()
def fill(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give a model the parameters and buffers of another. Raises ValueError or KeyError if they are not alike."""
    own = tensors_of(model)
    check_alike(tensors, own)
    if missing := own.keys() - tensors.keys():
        msg = f"there is no {min(missing)}"
        raise ValueError(msg)
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def check_alike(tensors: Mapping[Any, torch.Tensor], expected: Mapping[Any, torch.Tensor]) -> None:
    """Raises ValueError or KeyError unless each tensor has the shape of the expected one of its name."""
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            msg = f"{name} has the shape {tuple(tensor.shape)}"
            raise ValueError(msg)


def model_facts(work: Workload, model: nn.Module) -> list[object]:
    """What decides all that a model computes in float64, but its images: its name, code, seed, weights and buffers."""
    code = {file for module in model.modules() for file in own_files(type(module))}
    code |= set(file_of(work.variant.model.partition(":")[0]))  # a task's loss
    return [torch.__version__, work.variant.model, work.inputs.classes, work.seed, sorted(code), tensors_of(model)]


def own_files(kind: type) -> Iterable[Path]:
    """The files of a class and its bases that are not torch's and have any."""
    for base in kind.__mro__:
        if not base.__module__.startswith("torch."):
            yield from file_of(base.__module__)


def file_of(module: str) -> Iterable[Path]:
    """The file of an imported module, if it has one."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file and Path(file).is_file():
        yield Path(file)


def settings(work: Workload) -> list[object]:
    """What decides, beside the model and its images, how plain eager code of a variant's precision rounds."""
    device = backend_of(work.device).name(work.device)
    names = {flag for _, axis, _ in axes_of(work.variant) for value in axis.values.values() for flag in value.flags}
    flags = [(flag, attrgetter(flag)(torch)) for flag in sorted(names)]
    precision = precision_of(work).name
    return [work.variant.precision, precision, device, torch.get_num_threads(), flags, work.loss_scale]
