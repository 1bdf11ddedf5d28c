"""What a device can do at most, measured: operations a second by type, and bytes a second by the way memory is used.

Matrix products and convolutions of shapes that suit the device run in turns; the fastest shape counts. On some machines
one is far behind the other, so neither alone is a roof. Datasheets are not asked: they name what no code reaches.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch.nn import functional as F

from bench.core.axes.kind import kind_of
from bench.measure.clock import Clock
from bench.measure.devices.find import backend_of
from bench.measure.probes.canary import run
from bench.measure.samples import Samples

SAMPLES = 7
LEAST_SAMPLE_S = 0.02
MOST_PIECE_S, MOST_ROOF_S = 1.0, 4.0
"""Samples of a piece, and pieces of a roof, begin for so long at most."""
LEAST_SPREAD = 3
"""From fewer samples nobody can say how far they are apart."""
BACKLOG = 2.0
MOST_CALLS = 300
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LEAST_GAIN = 0.5
"""A type of 16 bits that a small product finds slower than this times float32 has no instructions here: no roof."""
SMALL = 256
TF32 = "tf32"
AMPERE = (8, 0)
Shape = tuple[int, int, int, int, int]
"""Of a convolution: images, channels in, channels out, pixels a side, kernel's pixels a side."""
ON_CPU: tuple[Shape, ...] = ((8, 256, 256, 28, 3), (16, 128, 256, 28, 5))
ON_GPU: tuple[Shape, ...] = ((64, 256, 256, 56, 3), (64, 512, 512, 28, 3), (64, 128, 256, 28, 5))


@dataclass(frozen=True, slots=True)
class Piece:
    """A call that is timed, and its work: operations, or bytes read and written."""

    call: Callable[[], object]
    work: float


def measured(device: torch.device, clock: Clock) -> Samples:
    """Samples of every roof: metric roof_flops by type, roof_bytes by way."""
    samples = Samples("roofs")
    for name in types_of(device, clock):
        with precision(device, name):
            add(samples, "roof_flops", name, fastest(products(device, TYPES.get(name, torch.float32)), clock))
    for name, piece in ways(device):
        add(samples, "roof_bytes", name, rates(piece, clock))
    return samples


def add(samples: Samples, metric: str, name: str, per_second: list[float]) -> None:
    """Add the rates of one roof, and half of their range as a share of their median."""
    for index, rate in enumerate(per_second):
        samples.add(metric, rate, phase=name, index=index)
    if len(per_second) >= LEAST_SPREAD:
        samples.add("roof_spread", (max(per_second) - min(per_second)) / 2 / median(per_second), phase=name)


def types_of(device: torch.device, clock: Clock) -> list[str]:
    """The types that the device has instructions for."""
    capability = backend_of(device).capability(device)
    if capability is not None:
        return ["float32", *([TF32, "bfloat16"] if capability >= AMPERE else []), "float16"]
    small = {name: median(rates(product(device, dtype, SMALL), clock)) for name, dtype in TYPES.items()}
    return [name for name in TYPES if small[name] >= LEAST_GAIN * small["float32"]]


def products(device: torch.device, dtype: torch.dtype) -> Iterator[Piece]:
    """Matrix products and convolutions that keep the device busy."""
    on_gpu = kind_of(device.type).accelerates
    small, large = (4096, 8192) if on_gpu else (1024, 2048)
    yield product(device, dtype, small)
    for shape in ON_GPU if on_gpu else ON_CPU:
        for memory_format in (torch.channels_last, torch.contiguous_format):
            yield convolution(device, dtype, shape, memory_format)
    yield product(device, dtype, large)


def product(device: torch.device, dtype: torch.dtype, size: int) -> Piece:
    """A product of square matrices."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty(size, size, device=device, dtype=dtype)
    return Piece(lambda: torch.mm(a, b, out=out), 2 * size**3)


def convolution(device: torch.device, dtype: torch.dtype, shape: Shape, memory_format: torch.memory_format) -> Piece:
    """A convolution that keeps the size of its images."""
    images, c_in, c_out, pixels, kernel = shape
    x = torch.randn(images, c_in, pixels, pixels, device=device).to(dtype).contiguous(memory_format=memory_format)
    w = torch.randn(c_out, c_in, kernel, kernel, device=device).to(dtype).contiguous(memory_format=memory_format)
    return Piece(lambda: F.conv2d(x, w, padding=kernel // 2), 2 * x.numel() * c_out * kernel**2)


def ways(device: torch.device) -> Iterator[tuple[str, Piece]]:
    """Ways to use memory: a copy, a sum that only reads, a fill that only writes; and a copy that fits a cache."""
    floats = 2**28 if kind_of(device.type).accelerates else 2**26
    x, y = torch.ones(floats, device=device), torch.empty(floats, device=device)
    size = x.element_size() * floats
    yield "copy", Piece(lambda: y.copy_(x), 2 * size)
    yield "read", Piece(x.sum, size)
    yield "write", Piece(lambda: y.fill_(1.0), size)
    few = floats // 512
    yield "cached copy", Piece(lambda: y[:few].copy_(x[:few]), 2 * size / 512)


def fastest(pieces: Iterable[Piece], clock: Clock) -> list[float]:
    """Work a second of the piece with the highest median, one value a sample.

    Pieces that are left after MOST_ROOF_S are not tried: on a busy machine each may take minutes.
    """
    began, best = clock.host_s(), list[float]()
    for piece in pieces:
        best = max(best, rates(piece, clock), key=lambda values: median(values or [0.0]))
        if clock.host_s() - began > MOST_ROOF_S:
            break
    return best


def rates(piece: Piece, clock: Clock) -> list[float]:
    """Work a second in some samples, each of as many calls as last long enough; fewer samples if they are long."""
    run(piece.call, clock, 1)  # warms up
    began = clock.host_s()
    seconds, host_s = run(piece.call, clock, 1)
    calls = max(1, min(MOST_CALLS, math.ceil(LEAST_SAMPLE_S / seconds)))
    taken = [piece.work / seconds] if calls == 1 else []
    while len(taken) < SAMPLES and (not taken or clock.host_s() - began < MOST_PIECE_S):
        taken.append(calls * piece.work / run(piece.call, clock, calls, BACKLOG * calls * host_s)[0])
    return taken


@contextmanager
def precision(device: torch.device, name: str) -> Iterator[None]:
    """Within, float32 is computed as the name says: by TensorFloat-32, or by IEEE."""
    flags: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    if device.type != "cuda":
        yield
        return
    before = [flag.fp32_precision for flag in flags]
    for flag in flags:
        flag.fp32_precision = TF32 if name == TF32 else "ieee"
    yield
    for flag, setting in zip(flags, before, strict=True):
        flag.fp32_precision = setting
