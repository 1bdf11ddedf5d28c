"""What is alive when a step holds most memory: which tensors, of which layer and kind.

Tensors are seen as operators return them. What an operator takes only while it runs is not seen, nor is what the
allocator keeps for later.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from bench.core.metrics.tensors import Kind
from bench.core.traces import Owner
from bench.measure.leaves import tree
from bench.measure.work.turns import Turns, storage_of
from bench.tasks.nest import tensors

BY_PHASE = {
    "data": Kind.INPUTS, "h2d": Kind.INPUTS, "forward": Kind.KEPT, "loss": Kind.KEPT, "backward": Kind.PASSING,
}  # fmt: skip
"""The kind of what a phase makes."""


@dataclass(frozen=True, slots=True)
class Held:
    """A storage that is alive."""

    reference: StorageWeakRef
    size: int
    turn: int
    known: tuple[str, Kind] | None = None
    """Its layer and kind if no operator of the step made it."""


class Alive(Turns):
    """Within it, the storages that are alive are known after each operator."""

    def __init__(self, held: dict[tuple[str, Kind], list[torch.Tensor]]) -> None:
        """`held` has the tensors that are there before the step, by layer and kind."""
        super().__init__()
        self.alive: dict[int, Held] = {}
        for known, values in held.items():
            self._add(values, known)
        self.now = sum(one.size for one in self.alive.values())
        self.peak, self.peak_turn, self.at_peak = self.now, 0, dict(self.alive)

    def before(self, args: tuple[Any, ...]) -> None:  # noqa: ARG002
        """Forget the storages that are gone."""
        gone = [key for key, one in self.alive.items() if one.reference.expired()]
        self.now -= sum(self.alive.pop(key).size for key in gone)

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> None:  # noqa: ANN401, ARG002
        """Add the storages that an operator takes and returns, and keep the list of them if there was never more."""
        self.now += self._add(tensors((args, kwargs)), ("", Kind.INPUTS)) + self._add(tensors(result))
        if self.now > self.peak:
            self.peak, self.peak_turn, self.at_peak = self.now, self.turn, dict(self.alive)

    def _add(self, values: Iterable[torch.Tensor], known: tuple[str, Kind] | None = None) -> int:
        """The bytes of those storages that are new."""
        added = 0
        for x in values:
            reference = storage_of(x)
            if reference is not None and reference.cdata not in self.alive:
                size = x.untyped_storage().nbytes()
                self.alive[reference.cdata] = Held(reference, size, self.turn, known)
                added += size
        return added

    @property
    def peak_owner(self) -> Owner:
        """Whose code ran at the peak."""
        owner: Owner = self.owners[self.peak_turn]
        return owner

    def parts(self, gradients: dict[str, list[torch.Tensor]]) -> dict[tuple[str, Kind], int]:
        """Bytes at the peak by layer and kind. `gradients` are those that the step left, by layer."""
        layer_of = {
            reference.cdata: layer
            for layer, values in gradients.items()
            for x in values
            if (reference := storage_of(x)) is not None
        }
        total: dict[tuple[str, Kind], int] = defaultdict(int)
        for key, one in self.at_peak.items():
            layer, phase = self.owners[one.turn]
            made = (layer, BY_PHASE.get(phase, Kind.OTHER))
            if key in layer_of:
                made = (layer_of[key], Kind.GRADIENTS)
            total[one.known or made] += one.size
        return dict(total)


def own_tensors(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of each layer, those of modules without a row under an empty name."""
    by_layer = {layer: list(module.parameters(recurse=False)) for layer, module in tree(model).items()}
    named = {id(p) for values in by_layer.values() for p in values}
    return by_layer | {"": [p for p in model.parameters() if id(p) not in named]}


def held_before(model: nn.Module, state: dict[Any, dict[str, Any]]) -> dict[tuple[str, Kind], list[torch.Tensor]]:
    """What is there before a step, by layer and kind: parameters, gradients, buffers, and the optimizer's state."""
    held: dict[tuple[str, Kind], list[torch.Tensor]] = {("", Kind.BUFFERS): list(model.buffers())}
    for layer, parameters in own_tensors(model).items():
        held[layer, Kind.PARAMETERS] = list(parameters)
        held[layer, Kind.GRADIENTS] = [p.grad for p in parameters if p.grad is not None]
        held[layer, Kind.STATE] = [x for p in parameters for x in tensors(state.get(p, {}))]
    return held


def gradients_of(model: nn.Module) -> dict[str, list[torch.Tensor]]:
    """The gradients of each layer's parameters."""
    return {layer: [p.grad for p in values if p.grad is not None] for layer, values in own_tensors(model).items()}
