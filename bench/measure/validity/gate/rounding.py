"""The precision that a variant computes in, and numbers moved at random by as much as it rounds."""

import torch

from bench.core.axes.precision import Precision, computed
from bench.measure.devices.find import backend_of
from bench.measure.workload import Workload


def precision_of(work: Workload) -> Precision:
    """The precision in which a variant computes, on the device that it has."""
    return computed(work.variant.precision, backend_of(work.device).capability(work.device))


def moved(tensor: torch.Tensor, grain: float, generator: torch.Generator) -> torch.Tensor:
    """The tensor, changed in place: each number moves at random by at most a share `grain` of itself."""
    shares = torch.empty(tensor.shape, dtype=tensor.dtype).uniform_(-grain, grain, generator=generator)
    return tensor.add_(shares.to(tensor.device).mul_(tensor))


def moved_floats(x: torch.Tensor, grain: float, generator: torch.Generator) -> torch.Tensor:
    """A copy of a float tensor that is moved by a grain; any other tensor as it is."""
    return moved(x.clone(), grain, generator) if x.is_floating_point() else x
