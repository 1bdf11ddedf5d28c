"""An eager variant against float64, layer by layer: each is given exactly what the reference's layer was given.

The yardstick is measured on this very model, in this precision: how far each result moves when all that a layer is
given, its weights too, is moved at random by one grain of the precision (several draws); and how far plain eager code
of that precision is off. torch's own layers then compute in each layout, all other code in the default one: so a layer
of the model's own that is wrong in the other layout is not its own yardstick.
"""

import copy
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from bench.measure.validity.borders import Border, visited
from bench.measure.validity.numerics_layout import OwnLayers
from bench.measure.validity.rounding import moved, precision_of
from bench.measure.validity.weights import NotGatedError
from bench.measure.workload import Workload
from nin.loaders import Batch
from nin.train import MEMORY_FORMATS

MULTIPLE = 4.0
"""How many yardsticks a result may be off by."""
FACTOR_SHARE = 0.25
"""Of that, what a result's size may be off by: rounding errors cancel over its elements, a factor does not."""
DRAWS = 2
MOST_WIDENED = 128.0
"""How many times as far as numbers move by a grain plain eager code may be off: more is no rounding.

In float32 that is a share of 2^-10, or of 2^-8 with all that a result may be off by.
"""
MOST_HALVINGS = 24

Key = tuple[str, Border | str]
"""What is compared: `value` or `gradient` at a border, or `parameter` and its name, whose gradient it is."""


@dataclass(frozen=True, slots=True)
class Miss:
    """How far a result is from the reference, in norms."""

    distance: float
    size: float
    """The reference's own norm."""
    along: float
    """What of it lies along the reference: where the result is the reference times a factor, all of it."""
    elements: int


@dataclass(frozen=True, slots=True)
class Yard:
    """How far a result is off by rounding, in all and along the reference, in norms."""

    distance: float
    along: float

    @classmethod
    def of(cls, least: float, misses: list[Miss]) -> "Yard":
        """The largest of several misses, and at least a share `least` of the reference's size."""
        return cls(max(least * misses[0].size, *(m.distance for m in misses)), max(m.along for m in misses))

    def widened(self, misses: list[Miss]) -> "Yard":
        """Itself, or the largest of several misses where that is larger, up to MOST_WIDENED times this one."""
        most = MOST_WIDENED * self.distance
        distance = min(most, max((m.distance for m in misses), default=0.0))
        along = min(FACTOR_SHARE * most, max((m.along for m in misses), default=0.0))
        return Yard(max(self.distance, distance), max(self.along, along))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is off by the largest share of what it may be off by: relative error and bound, and whether by a factor."""

    what: str
    many: bool = False
    """Whether `what` is a plural, for the sentence made of it."""
    error: float
    bound: float
    by_a_factor: bool

    @property
    def share(self) -> float:
        """The error over its bound; beyond 1 it is wrong. Infinite for what is no number."""
        if self.error == 0:
            return 0.0
        return self.error / self.bound if self.bound and not math.isnan(self.error) else math.inf


@dataclass(slots=True)
class Reference:
    """A visitor that notes what float64 has at each border, in float32, and goes on from what it noted."""

    values: dict[Border, torch.Tensor] = field(default_factory=dict)
    gradients: dict[Border, torch.Tensor] = field(default_factory=dict)
    parameters: dict[str, torch.Tensor] = field(default_factory=dict)
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
    def finite(self) -> bool:
        """Whether all of it are numbers."""
        noted = (self.values, self.gradients, self.parameters)
        return all(bool(tensor.isfinite().all()) for tensors in noted for tensor in tensors.values())


class Held:
    """A visitor that holds a calculation against the reference, and has it go on from what the reference has.

    `scale` is what the loss was multiplied by. With a `grain`, what goes on is moved by it.
    """

    def __init__(self, reference: Reference, *, scale: float = 1.0, grain: float = 0.0, seed: int = 0) -> None:
        self.reference, self.scale, self.grain = reference, scale, grain
        self.generator = torch.Generator().manual_seed(seed)
        self.misses: dict[Key, Miss] = {}
        self.loss = math.nan

    def value(self, border: Border, x: torch.Tensor) -> torch.Tensor:
        """The reference's value, laid out as this one."""
        exact = self.reference.values.get(border)
        if exact is None or exact.shape != x.shape:  # such as a path that only this layout takes
            return x.clone()
        self.misses["value", border] = miss(x, exact)
        return self.going_on(x, exact)

    def gradient(self, border: Border, g: torch.Tensor) -> torch.Tensor:
        """The reference's gradient, scaled, laid out as this one."""
        exact = self.reference.gradients.get(border)
        if exact is None or exact.shape != g.shape:
            return g
        self.misses["gradient", border] = miss(g, exact, self.scale)
        return self.going_on(g, exact).mul_(self.scale)

    def going_on(self, like: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
        """The exact tensor, laid out as another, moved by the grain where there is one."""
        y = torch.empty_like(like).copy_(exact)
        return moved(y, self.grain, self.generator) if self.grain else y

    def hold_parameters(self, model: nn.Module) -> None:
        """Hold the gradients of a model's parameters against the reference's; one that is missing counts as 0."""
        for name, parameter in model.named_parameters():
            if (exact := self.reference.parameters.get(name)) is not None:
                mine = torch.zeros_like(exact) if parameter.grad is None else parameter.grad
                self.misses["parameter", name] = miss(mine, exact, self.scale)


def miss(mine: torch.Tensor, exact: torch.Tensor, scale: float = 1.0) -> Miss:
    """How far a tensor, divided by a scale, is from an exact one of float32 on the CPU."""
    # Divided in float32, which holds what is small in float16.
    difference = (mine.detach().to("cpu", torch.float32) / scale).sub_(exact)
    size = float(torch.linalg.vector_norm(exact, dtype=torch.float64))
    along = abs(float((difference * exact).sum(dtype=torch.float64))) / size if size else 0.0
    distance = float(torch.linalg.vector_norm(difference, dtype=torch.float64))
    return Miss(distance, size, along, exact.numel())


def reference_of(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Reference:
    """What float64 has at each border, and its gradients of parameters, in float32."""
    exact, found = copy.deepcopy(model).double(), Reference()
    with visited(exact, found):
        _, found.loss = train(exact, x.double(), y)
    found.parameters = {n: p.grad.float() for n, p in exact.named_parameters() if p.grad is not None}
    return found


def train(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
    context: AbstractContextManager[object] | None = None,
    scale: float = 1.0,
) -> tuple[torch.Tensor, float]:
    """Scores and loss of a batch, forward under a context; the gradients, scaled, are in the parameters."""
    model.zero_grad(set_to_none=True)
    with context or nullcontext():
        scores_NK = (model if forward is None else forward)(x)
        loss = F.cross_entropy(scores_NK, y)
    (loss * scale).backward()
    return scores_NK.detach(), float(loss.detach())


def drawn(model: nn.Module, reference: Reference, batch: Batch, grain: float, seed: int) -> dict[Key, Miss]:
    """How far each result moves in float32 where all that a layer is given, weights too, moves by a grain."""
    other, visitor = copy.deepcopy(model), Held(reference, grain=grain, seed=seed)
    with torch.no_grad():
        for parameter in other.parameters():
            moved(parameter, grain, visitor.generator)
    with visited(other, visitor):
        train(other, *batch)
    visitor.hold_parameters(other)
    return visitor.misses


def held(
    work: Workload,
    model: nn.Module,
    reference: Reference,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Held:
    """A model's results in the variant's precision, held against the reference.

    The loss is scaled as the variant does it, and the scale halved until nothing overflows.
    """
    scale = work.loss_scale
    for _ in range(MOST_HALVINGS):
        visitor = Held(reference, scale=scale)
        with visited(model, visitor):
            _, visitor.loss = train(model, x, y, forward, work.trainer.autocast(), scale)
        visitor.hold_parameters(model)
        model.zero_grad(set_to_none=True)
        if scale == 1 or all(math.isfinite(found.distance) for found in visitor.misses.values()):
            break
        scale = max(1.0, scale / 2)
    return visitor


def yardsticks(work: Workload, model: nn.Module, reference: Reference, batch: Batch) -> dict[Key, Yard]:
    """How far each result is off by rounding in the variant's precision."""
    precision = precision_of(work)
    grain, coarse = precision.grain, precision.own_kernels
    device = work.device if coarse else torch.device("cpu")
    draws = [drawn(model, reference, batch, grain, seed) for seed in range(DRAWS)]
    eager = [plain(work, model, reference, batch, device, layout) for layout in MEMORY_FORMATS.values()]
    found = [*draws, eager[0]] if coarse else draws
    if endless := [key for misses in found for key, missed in misses.items() if not math.isfinite(missed.distance)]:
        msg = f"{words(endless[0])} can't be held in {precision.name}, nor by plain eager code"
        raise NotGatedError(msg)
    return {key: Yard.of(grain / 2, of(found, key)).widened(of(eager, key)) for key in draws[0]}


def plain(
    work: Workload,
    model: nn.Module,
    reference: Reference,
    batch: Batch,
    device: torch.device,
    layout: torch.memory_format,
) -> dict[Key, Miss]:
    """How far plain eager code of the variant's precision is off, torch's own layers computing in a layout."""
    with OwnLayers(layout):
        x, y = (tensor.to(device) for tensor in batch)
        return held(work, copy.deepcopy(model).to(device), reference, x, y).misses


def of(found: list[dict[Key, Miss]], key: Key) -> list[Miss]:
    """The misses of a result, in those that have it."""
    return [misses[key] for misses in found if key in misses]


def findings(misses: dict[Key, Miss], yards: dict[Key, Yard]) -> tuple[Finding, Finding]:
    """The worst of the values, and the worst of the gradients of borders and parameters."""
    values, gradients = list[Finding](), list[Finding]()
    for key, found in misses.items():
        if key in yards:
            (values if key[0] == "value" else gradients).append(finding(key, found, yards[key]))
    nothing = Finding(what="", error=0.0, bound=math.inf, by_a_factor=False)
    return tuple(max(mine, key=lambda f: f.share, default=nothing) for mine in (values, gradients))  # type: ignore[return-value]


def finding(key: Key, found: Miss, yard: Yard) -> Finding:
    """A miss and its bound, relative to the reference's size, or to the yardstick where that is larger."""
    size = max(found.size, yard.distance)
    if not size:  # it should be exactly 0
        error = math.inf if found.distance else 0.0
        return Finding(what=words(key), many=is_plural(key), error=error, bound=0.0, by_a_factor=False)
    share = max(FACTOR_SHARE, 1 / math.sqrt(found.elements))
    told = [
        Finding(
            what=words(key),
            many=is_plural(key),
            error=error / size,
            bound=MULTIPLE * limit / size,
            by_a_factor=by_a_factor,
        )
        for error, limit, by_a_factor in (
            (found.distance, yard.distance, False),
            (found.along, max(share * yard.distance, yard.along), True),
        )
    ]
    return max(told, key=lambda f: f.share)


def is_plural(key: Key) -> bool:
    """Whether `words` gives a plural."""
    kind, where = key
    return isinstance(where, str) or (kind == "value" and not where.path)


def words(key: Key) -> str:
    """What was compared, in words."""
    kind, where = key
    if isinstance(where, str):
        return f"gradients of {where}"
    side = "the scores" if not where.path else f"the {where.side} of {where.path}"
    return side if kind == "value" else f"the gradient of {side}"
