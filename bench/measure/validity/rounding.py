"""How coarsely a precision computes, and numbers moved by as much."""

import torch

from bench.measure.workload import Workload
from nin.train import AUTOCAST

ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Unit roundoff: half the distance from 1 to the next number."""
GRAIN = {"fp32": 2.0**-16, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""By how much a number may move, as a share of it: the unit roundoff where products are rounded to the precision and
added up in float32. float32 itself rounds at each of many thousand additions: its grain is 256 times its roundoff.
TensorFloat-32 is 32 times that grain."""
TF32_CAPABILITY = 8
"""CUDA devices compute TensorFloat-32 from this capability on."""


def precision_of(work: Workload) -> str:
    """The precision, of GRAIN, in which a variant computes: `default` has TF32 in a newer GPU's convolutions."""
    precision = work.variant.precision
    if precision != "default":
        return precision
    newer = work.device.type == "cuda" and torch.cuda.get_device_capability(work.device)[0] >= TF32_CAPABILITY
    return "tf32" if newer else "fp32"


def is_coarse(precision: str) -> bool:
    """Whether a precision has kernels of its own, which may round more often than products need."""
    return precision in AUTOCAST or precision == "tf32"


def moved(tensor: torch.Tensor, grain: float, generator: torch.Generator) -> torch.Tensor:
    """The tensor, in place, each number moved at random by at most a share `grain` of it."""
    shares = torch.empty(tensor.shape, dtype=tensor.dtype).uniform_(-grain, grain, generator=generator)
    return tensor.add_(shares.to(tensor.device).mul_(tensor))
