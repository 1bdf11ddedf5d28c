"""One calculation of a batch: its loss, what the model returned, and the gradients that it leaves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from bench.tasks.nest import changed, tensors

Loss = Callable[..., torch.Tensor]
"""Returns the loss of a model (as it is, or compiled) and what one step takes."""
Batch = Sequence[Any]
"""What one step takes."""


def forward_backward(
    loss: Loss,
    model: nn.Module,
    batch: Batch,
    forward: Any = None,  # noqa: ANN401 - the model as it is, or compiled
    context: AbstractContextManager[object] | None = None,
    scale: float = 1.0,
) -> tuple[torch.Tensor, float]:
    """What a model returns for a batch, and the loss, under a context; leaves the scaled gradients in the parameters.

    `forward` is the model as a step calls it. What it returns is its first float tensor; the loss if it returns none,
    or if the loss calls only parts of it.
    """
    called = model if forward is None else forward
    model.zero_grad(set_to_none=True)
    with context or nullcontext(), returned(called if isinstance(called, nn.Module) else model) as outputs:
        value = loss(called, *batch)
    (value * scale).backward()
    return outputs[0].detach() if outputs else value.detach().reshape(1), float(value.detach())


@contextmanager
def returned(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Within, the float tensors that a model returns are added to the list."""
    outputs: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda _m, _x, y: outputs.extend(filter(torch.is_floating_point, tensors(y))))
    try:
        yield outputs
    finally:
        hook.remove()


def in_double(batch: Batch) -> tuple[Any, ...]:
    """A batch with its float tensors in float64."""
    return tuple(changed(each, lambda x: x.double() if x.is_floating_point() else x) for each in batch)


def exactly(x: torch.Tensor) -> torch.Tensor:
    """A tensor in float64 on the CPU. It is copied before it is widened: Apple's GPU has no float64."""
    return x.detach().to("cpu").to(torch.float64)


def on_device(batch: Batch, device: torch.device) -> tuple[Any, ...]:
    """A batch on a device."""
    return tuple(changed(each, lambda x: x.to(device)) for each in batch)
