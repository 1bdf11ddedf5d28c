"""The kinds of device that a model can train on, and what each can do by its nature. No torch here.

This is the half that plans, files and reports need. What torch does on a device of a kind is in bench/measure/devices.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of device."""

    name: str = field(kw_only=False)
    """What torch calls it, and an id begins with."""
    words: str
    """Its name in a sentence."""
    batch_size: int = 128
    """Images a step, if a call names no batch size."""
    accelerates: bool = True
    """Whether it is a device beside the CPU, to which the host gives work that it does not wait for."""
    numbered: bool = True
    """Whether a machine may have several of them, such as cuda:1."""
    held: bool = False
    """Whether it can be kept busy while the host gives it a whole step, so that stamps have no gaps between them."""
    triton: bool = False
    """Whether inductor writes its kernels in Triton, which needs a C compiler and Python.h."""
    tunes: bool = True
    """Whether inductor has several kernels for one matrix product, among which it can choose."""
    profiled: bool = True
    """Whether torch.profiler sees what ran on it."""


CPU = Kind("cpu", words="CPU", batch_size=32, accelerates=False, numbered=False)
CUDA = Kind("cuda", words="CUDA", held=True, triton=True)
XPU = Kind("xpu", words="XPU", held=True, triton=True)
MPS = Kind("mps", words="MPS", numbered=False, tunes=False, profiled=False)
KINDS = {kind.name: kind for kind in (CPU, CUDA, MPS, XPU)}
OTHERS = (MPS, XPU)
"""Those that are neither the CPU nor CUDA."""


def kind_of(device: str) -> Kind:
    """The kind of a device such as `xpu:1`. Raises KeyError if there is no such kind."""
    return KINDS[device.partition(":")[0]]


def index_of(device: str) -> int:
    """The number of a device among those of its kind."""
    return int(device.partition(":")[2] or 0)
