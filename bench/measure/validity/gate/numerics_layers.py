"""An eager variant against float64, layer by layer: each layer is given exactly what the reference's layer was given.

The yardstick is measured on this very model, in this precision. It is the larger of two distances: how far each result
moves if all that a layer is given, its weights too, moves at random by one grain of the precision (several draws); and
how far plain eager code of that precision is off. For the second, torch's own layers compute in each layout and all
other code in the default one. So a layer of the model's own that is wrong in the other layout is not its own yardstick.
"""

import copy
import math
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import nn

from bench.measure.validity.borders import Border, visited
from bench.measure.validity.gate.calculation import Batch, Loss, forward_backward, in_double, on_device
from bench.measure.validity.gate.finding import Key, Miss, Yardstick, words
from bench.measure.validity.gate.numerics_layout import TorchLayersIn
from bench.measure.validity.gate.rounding import moved, precision_of
from bench.measure.validity.gate.stored import Content, Store, check_alike, model_facts, settings
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Workload
from bench.tasks.nest import tensors
from nin.train import MEMORY_FORMATS

DRAWS = 2
MOST_HALVINGS = 24


@dataclass(slots=True)
class Reference:
    """A visitor that notes what float64 has at each border, in float32, and goes on from what it noted."""

    values: dict[Border, torch.Tensor] = field(default_factory=dict)
    gradients: dict[Border, torch.Tensor] = field(default_factory=dict)
    parameters: dict[str, torch.Tensor] = field(default_factory=dict)
    """The gradients of the parameters, by name."""
    loss: float = math.nan

    def value(self, border: Border, x: torch.Tensor) -> torch.Tensor:
        """The value, rounded to float32."""
        self.values[border] = x.detach().float()
        return self.values[border].to(x.dtype, copy=True)

    def gradient(self, border: Border, g: torch.Tensor) -> torch.Tensor:
        """The gradient, rounded to float32."""
        self.gradients[border] = g.detach().float()
        return self.gradients[border].to(g.dtype, copy=True)

    @property
    def keys(self) -> set[Key]:
        """What a result is compared with."""
        borders = {("value", border) for border in self.values} | {("gradient", border) for border in self.gradients}
        return borders | {("parameter", name) for name in self.parameters}

    @property
    def finite(self) -> bool:
        """Whether all that was noted is finite."""
        noted = (self.values, self.gradients, self.parameters)
        return all(bool(tensor.isfinite().all()) for tensors in noted for tensor in tensors.values())


class Comparison:
    """A visitor that compares a calculation with the reference, and lets it go on from what the reference has.

    `scale` is the factor of the loss. With a `grain`, what goes on is moved by it.
    """

    def __init__(self, reference: Reference, *, scale: float = 1.0, grain: float = 0.0, seed: int = 0) -> None:
        self.reference, self.scale, self.grain = reference, scale, grain
        self.generator = torch.Generator().manual_seed(seed)
        self.misses: dict[Key, Miss] = {}
        self.loss = math.nan

    def value(self, border: Border, x: torch.Tensor) -> torch.Tensor:
        """The reference's value, in the layout of this one."""
        exact = self.reference.values.get(border)
        if exact is None or exact.shape != x.shape:  # such as a path that only this layout takes
            return x.clone()
        self.misses["value", border] = Miss.of(x, exact)
        return self.going_on(x, exact)

    def gradient(self, border: Border, g: torch.Tensor) -> torch.Tensor:
        """The reference's gradient, scaled, in the layout of this one."""
        exact = self.reference.gradients.get(border)
        if exact is None or exact.shape != g.shape:
            return g
        self.misses["gradient", border] = Miss.of(g, exact, self.scale)
        return self.going_on(g, exact).mul_(self.scale)

    def going_on(self, like: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
        """The exact tensor in the layout of another, moved by the grain if there is one."""
        y = torch.empty_like(like).copy_(exact)
        return moved(y, self.grain, self.generator) if self.grain else y

    def compare_parameters(self, model: nn.Module) -> None:
        """Compare the gradients of a model's parameters with the reference's; one that is missing counts as 0."""
        for name, parameter in model.named_parameters():
            if (exact := self.reference.parameters.get(name)) is not None:
                gradient = torch.zeros_like(exact) if parameter.grad is None else parameter.grad
                self.misses["parameter", name] = Miss.of(gradient, exact, self.scale)


def reference_of(loss: Loss, model: nn.Module, batch: Batch) -> Reference:
    """What float64 has at each border, and its gradients of parameters, in float32."""
    exact, reference = copy.deepcopy(model).double(), Reference()
    with visited(exact, reference):
        _, reference.loss = forward_backward(loss, exact, in_double(batch))
    reference.parameters = {n: p.grad.float() for n, p in exact.named_parameters() if p.grad is not None}
    return reference


def stored_reference(work: Workload, model: nn.Module, batch: Batch, store: Store) -> Reference:
    """The reference, computed once a run. Raises NotGatedError if float32 does not hold it."""
    parameters = dict(model.named_parameters())

    def compute() -> Reference:
        reference = reference_of(work.loss, model, batch)
        if not reference.finite:
            msg = "float32 does not hold what the model computes from its own weights"
            raise NotGatedError(msg)
        return reference

    def packed(reference: Reference) -> Content:
        borders = {name: as_data(getattr(reference, name)) for name in ("values", "gradients")}
        return borders | {"parameters": reference.parameters, "loss": reference.loss}

    def unpacked(content: Content) -> Reference:
        values, gradients = ({Border(*at): t for at, t in content[name].items()} for name in ("values", "gradients"))
        check_alike(gradients, values)
        check_alike(content["parameters"], parameters)
        return Reference(values, gradients, content["parameters"], float(content["loss"]))

    return store.once("layers", [model_facts(work, model), *tensors(batch)], compute, packed, unpacked)


def as_data(by_border: dict[Border, torch.Tensor]) -> dict[tuple[object, ...], torch.Tensor]:
    """The same tensors, by what a border consists of."""
    return {astuple(border): tensor for border, tensor in by_border.items()}


def drawn(loss: Loss, model: nn.Module, reference: Reference, batch: Batch, grain: float, seed: int) -> dict[Key, Miss]:
    """How far each result moves in float32 if all that a layer is given, weights too, moves by a grain."""
    other, comparison = copy.deepcopy(model), Comparison(reference, grain=grain, seed=seed)
    with torch.no_grad():
        for parameter in other.parameters():
            moved(parameter, grain, comparison.generator)
    with visited(other, comparison):
        forward_backward(loss, other, batch)
    comparison.compare_parameters(other)
    return comparison.misses


def compared(
    work: Workload,
    model: nn.Module,
    reference: Reference,
    batch: Batch,
    forward: Any = None,  # noqa: ANN401 - the model as it is, or compiled
) -> Comparison:
    """A model's results in the variant's precision, compared with the reference.

    The loss is scaled as the variant does it, and the scale halved until nothing overflows.
    """
    scale = work.loss_scale
    for _ in range(MOST_HALVINGS):
        comparison = Comparison(reference, scale=scale)
        with visited(model, comparison):
            _, comparison.loss = forward_backward(work.loss, model, batch, forward, work.trainer.autocast(), scale)
        comparison.compare_parameters(model)
        model.zero_grad(set_to_none=True)
        if scale == 1 or all(math.isfinite(miss.distance) for miss in comparison.misses.values()):
            break
        scale = max(1.0, scale / 2)
    return comparison


def yardsticks(work: Workload, model: nn.Module, reference: Reference, batch: Batch) -> dict[Key, Yardstick]:
    """How far rounding moves each result in the variant's precision.

    Raises NotGatedError if that is not finite for one of them.
    """
    precision = precision_of(work)
    grain, coarse = precision.grain, precision.own_kernels
    device = work.device if coarse else torch.device("cpu")
    draws = [drawn(work.loss, model, reference, batch, grain, seed) for seed in range(DRAWS)]
    eager = [plain(work, model, reference, batch, device, layout) for layout in MEMORY_FORMATS.values()]
    basic = [*draws, eager[0]] if coarse else draws
    if endless := [key for misses in basic for key, miss in misses.items() if not math.isfinite(miss.distance)]:
        msg = f"{precision.name} does not hold {words(endless[0])}, not even in plain eager code"
        raise NotGatedError(msg)
    return {key: Yardstick.of(grain / 2, misses_of(key, basic)).widened(misses_of(key, eager)) for key in draws[0]}


def stored_yardsticks(
    work: Workload, model: nn.Module, reference: Reference, batch: Batch, store: Store
) -> dict[Key, Yardstick]:
    """The yardsticks, computed once a run for all variants that round alike. Raises NotGatedError as `yardsticks`."""

    def packed(by_key: dict[Key, Yardstick]) -> list[tuple[object, ...]]:
        places = ((kind, astuple(at) if isinstance(at, Border) else at) for kind, at in by_key)
        return [(*place, y.distance, y.along) for place, y in zip(places, by_key.values(), strict=True)]

    def unpacked(rows: list[tuple[Any, ...]]) -> dict[Key, Yardstick]:
        by_key: dict[Key, Yardstick] = {
            (kind, at if isinstance(at, str) else Border(*at)): Yardstick(float(distance), float(along))
            for kind, at, distance, along in rows
        }
        if by_key.keys() != reference.keys:  # a result without a yardstick is not judged
            msg = "it has the yardsticks of other results"
            raise ValueError(msg)
        return by_key

    depends_on = [model_facts(work, model), *tensors(batch), settings(work)]
    return store.once("yardsticks", depends_on, lambda: yardsticks(work, model, reference, batch), packed, unpacked)


def plain(
    work: Workload,
    model: nn.Module,
    reference: Reference,
    batch: Batch,
    device: torch.device,
    layout: torch.memory_format,
) -> dict[Key, Miss]:
    """How far plain eager code of the variant's precision is off, torch's own layers computing in a layout."""
    with TorchLayersIn(layout):
        return compared(work, copy.deepcopy(model).to(device), reference, on_device(batch, device)).misses


def misses_of(key: Key, calculations: list[dict[Key, Miss]]) -> list[Miss]:
    """The misses of one result, in those calculations that have it."""
    return [misses[key] for misses in calculations if key in misses]
