"""A layer taken out of a step: its module with copies of the tensors that it had there, ready to run alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from bench.measure.devices.find import backend_of
from bench.measure.leaves import leaves
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload
from bench.tasks.nest import tensors


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of a module in a step: its inputs, and the gradient that came back to each of its outputs."""

    inputs: tuple[Any, ...]
    gradients: list[torch.Tensor | None] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Part:
    """A leaf with its calls in one step."""

    path: str
    module: nn.Module
    calls: list[Call] = field(default_factory=list)
    autocast: Callable[[], Any]

    @property
    def in_place(self) -> bool:
        """Whether it overwrites its input."""
        return bool(getattr(self.module, "inplace", False))

    def fresh(self) -> list[tuple[Any, ...]]:
        """The inputs of each call; copies, if the layer overwrites them."""
        return [tuple(_copied(x) for x in call.inputs) if self.in_place else call.inputs for call in self.calls]

    def forward(self, inputs: list[tuple[Any, ...]]) -> list[Any]:
        """The outputs of all calls."""
        with self.autocast():
            return [self.module(*arguments) for arguments in inputs]

    def ready(self) -> "Backward":
        """All that backward needs, after a forward. Its inputs have no `grad`, so nothing is accumulated."""
        outputs, gradients = [], []
        for out, call in zip(self.forward(self.fresh()), self.calls, strict=True):
            for y, gradient in zip(tensors(out), call.gradients, strict=True):
                if gradient is not None and y.requires_grad:
                    outputs.append(y)
                    gradients.append(gradient)
        wanted = [x for call in self.calls for x in tensors(call.inputs) if x.requires_grad]
        return Backward(outputs, [*wanted, *(p for p in self.module.parameters() if p.requires_grad)], gradients)


@dataclass(frozen=True, slots=True)
class Backward:
    """Outputs, the tensors whose gradients are wanted, and the gradients of the outputs."""

    outputs: list[torch.Tensor]
    wanted: list[torch.Tensor]
    gradients: list[torch.Tensor]

    def run(self) -> None:
        """Compute the gradients, as in a step: of parameters, and of inputs if the step wants them."""
        if self.outputs and self.wanted:
            torch.autograd.grad(self.outputs, self.wanted, self.gradients, allow_unused=True)


def detached(value: object) -> object:
    """A copy of a tensor, which starts a graph of its own; anything else as it is."""
    return value.detach().clone().requires_grad_(value.requires_grad) if isinstance(value, torch.Tensor) else value


def _copied(value: object) -> object:
    return value.clone() if isinstance(value, torch.Tensor) else value


def capture(work: Workload) -> dict[str, Part]:
    """The leaves that one training step calls, by path, with their inputs and gradients in it."""
    model = work.trainer.model
    parts = {p: Part(path=p, module=m, autocast=work.trainer.autocast) for p, m in leaves(model).items()}

    def before(part: Part, inputs: tuple[Any, ...]) -> None:
        # Copies, since later code may overwrite the tensor. They have its memory format, and want gradients if it does.
        part.calls.append(Call(inputs=tuple(detached(x) for x in inputs)))

    def after(part: Part, output: object) -> None:
        call = part.calls[-1]
        for index, y in enumerate(tensors(output)):
            call.gradients.append(None)
            if y.requires_grad:
                y.register_hook(lambda g, call=call, index=index: call.gradients.__setitem__(index, g.detach().clone()))

    handles = []
    for part in parts.values():
        handles.append(part.module.register_forward_pre_hook(lambda _m, x, part=part: before(part, x)))
        handles.append(part.module.register_forward_hook(lambda _m, _x, y, part=part: after(part, y)))
    take_step(work)
    for handle in handles:
        handle.remove()
    return {path: part for path, part in parts.items() if part.calls}


class Caches:
    """The caches of a device, which can be emptied."""

    def __init__(self, device: torch.device) -> None:
        words = 2 * backend_of(device).cache_bytes(device) // 4
        self._filler = torch.zeros(words, dtype=torch.int32, device=device)

    def flush(self) -> None:
        """Write more than the last cache holds, so that it has nothing else left."""
        self._filler.add_(1)
