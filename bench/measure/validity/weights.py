"""Weights on which a calculation can be held against another: none dead, none exploding, nothing drawn at random."""

import math

import torch
from torch import nn

from bench.measure.workload import Workload
from bench.tasks.factory import build_model

LEAST_DEVIATION = 1e-20


class NotGatedError(Exception):
    """The gate can't tell of this model; the text says why."""


def new_model(work: Workload) -> nn.Module:
    """The variant's model on the CPU, initialised as its code does from the run's seed, drawing nothing at random."""
    torch.manual_seed(work.seed)
    channels = work.inputs.images(work.seed).pixels_NCHW.shape[1]
    return without_noise(build_model(work.variant.model, channels, work.inputs.classes).train())


def without_noise(model: nn.Module) -> nn.Module:
    """The model, its dropouts and stochastic depths switched off, whatever they are called.

    These are the leaves that hold neither parameters nor buffers and mind whether they are in training; attention and
    recurrent layers have a dropout within.
    """
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            module.dropout = 0.0
        if not any(True for _ in (*module.children(), *module.parameters(), *module.buffers())):
            module.eval()
    return model


@torch.no_grad()
def unit_variance(model: nn.Module, x: torch.Tensor, seed: int) -> bool:
    """Give convolutions and linear layers weights whose outputs on a batch have variance 1, and zero biases.

    He's weights (arXiv 1502.01852), divided by what they make of the batch (Mishkin and Matas, arXiv 1511.06422), layer
    by layer as they are called. Returns whether all could be: a layer whose output is all alike, or endless, can't.
    """
    torch.manual_seed(seed)
    chosen = [m for m in model.modules() if _is_plain(m)]
    for module in chosen:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # type: ignore[arg-type] # a parameter
        if isinstance(module.bias, nn.Parameter):
            nn.init.zeros_(module.bias)
    scaled: dict[int, bool] = {}

    def scale(module: nn.Module, _inputs: object, y: torch.Tensor) -> torch.Tensor | None:
        weight = module.get_parameter("weight")
        if id(weight) in scaled:  # it is called again, or shares its weight
            return None
        deviation = float(y.std())
        scaled[id(weight)] = math.isfinite(deviation) and deviation > LEAST_DEVIATION
        if not scaled[id(weight)]:
            return None
        weight.div_(deviation)
        return y / deviation

    handles = [module.register_forward_hook(scale) for module in chosen]
    try:
        scores_NK = model(x)
    finally:
        for handle in handles:
            handle.remove()
    return all(scaled.values()) and bool(scores_NK.isfinite().all())


def _is_plain(module: nn.Module) -> bool:
    """Whether a convolution or linear layer holds its weight itself, and does not compute it from others."""
    kinds = nn.Linear | nn.modules.conv._ConvNd  # noqa: SLF001 - the base of all convolutions
    return isinstance(module, kinds) and "weight" in dict(module.named_parameters(recurse=False))
