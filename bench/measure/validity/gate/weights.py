"""Weights on which two calculations can be compared: none dead, none exploding, nothing drawn at random."""

import math
from collections.abc import Callable

import torch
from torch import nn

from bench.measure.workload import Workload
from bench.tasks.declared import make_model
from bench.tasks.factory import build_model

LEAST_DEVIATION = 1e-20


class NotGatedError(Exception):
    """The gate can't judge this model; the text says why."""


def new_model(work: Workload) -> nn.Module:
    """The variant's model on the CPU, as its code initialises it from the run's seed; no layer draws at random.

    It is in eval mode if the variant infers.
    """
    torch.manual_seed(work.seed)
    if work.task:
        model = make_model(work.task, work.variant.model)
    else:
        channels = work.inputs.images(work.seed).pixels_NCHW.shape[1]
        model = build_model(work.variant.model, channels, work.inputs.classes)
    return without_noise(model.train(not work.variant.infers))


def without_noise(model: nn.Module) -> nn.Module:
    """The model, with dropout and stochastic depth switched off, whatever their classes are called.

    Leaves without parameters and buffers go to eval mode. Attention and recurrent layers get an inner dropout of 0.
    """
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            module.dropout = 0.0
        if not any(True for _ in (*module.children(), *module.parameters(), *module.buffers())):
            module.eval()
    return model


@torch.no_grad()
def unit_variance(model: nn.Module, run: Callable[[], torch.Tensor], seed: int) -> bool:
    """Give convolutions and linear layers weights whose outputs on a batch have variance 1, and zero biases.

    `run` has the model compute the batch. He's weights (arXiv 1502.01852) are divided by the deviation of their outputs
    (Mishkin and Matas, arXiv 1511.06422), layer by layer in the order of the calls. Returns whether that worked for all
    layers: it does not for one whose output is constant or not finite.
    """
    torch.manual_seed(seed)
    layers = [m for m in model.modules() if _is_plain(m)]
    for module in layers:
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

    handles = [module.register_forward_hook(scale) for module in layers]
    try:
        result = run()
    finally:
        for handle in handles:
            handle.remove()
    return all(scaled.values()) and bool(result.isfinite().all())


def _is_plain(module: nn.Module) -> bool:
    """Whether a module is a convolution or linear layer that holds its weight itself, and does not compute it."""
    kinds = nn.Linear | nn.modules.conv._ConvNd  # noqa: SLF001 - the base of all convolutions
    return isinstance(module, kinds) and "weight" in dict(module.named_parameters(recurse=False))
