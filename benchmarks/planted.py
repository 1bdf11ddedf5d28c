"""Tiny models in which each row waits for a given time; benchmarks/attribution.py and the tests measure them."""

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, rnn, weight_norm
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from bench.core.traces import BETWEEN, Owner
from bench.tasks.nest import tensors

SHAPE = (2, 4, 4, 4)


class Wait(torch.autograd.Function):
    """Waits each way. Its backward first asks for what forward saved and then waits, as that of a convolution does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, plant: "Plant", spot: str) -> Tensor:  # noqa: ANN401
        """A copy of the input."""
        plant.wait(plant.delays_s.get((spot, "forward"), 0.0))
        ctx.plant, ctx.spot = plant, spot
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        """The gradient as it came."""
        assert ctx.saved_tensors  # noqa: S101 - a checkpoint computes them again here
        ctx.plant.wait(ctx.plant.delays_s.get((ctx.spot, "backward"), 0.0))
        return gradients[0], None, None


@dataclass(slots=True)
class Plant:
    """How to wait, and how long in each row; rows without a delay do not wait."""

    wait: Callable[[float], None]
    delays_s: dict[Owner, float] = field(default_factory=dict)

    def at(self, spot: str, x: Tensor) -> Tensor:
        """The input, after the waits of a row."""
        return cast("Tensor", Wait.apply(x, self, spot))

    def layer(self, spot: str, give: Callable[[Tensor], Any] = lambda x: x) -> nn.Module:
        """A layer that waits, then returns what `give` makes of its input."""
        return Layer(self, spot, give)

    def slowed(self, module: nn.Module, spot: str) -> nn.Module:
        """A module of torch's own that waits in hooks, as a user may add them."""

        def wait_in_backward(_module: nn.Module, _inputs: object, output: object) -> None:
            node = next(tensors(output)).grad_fn
            if node is not None:
                node.register_hook(lambda _new, _old: self.wait(self.delays_s.get((spot, "backward"), 0.0)))

        module.register_forward_pre_hook(lambda _m, _x: self.wait(self.delays_s.get((spot, "forward"), 0.0)))
        module.register_forward_hook(wait_in_backward)
        return module


class Layer(nn.Module):
    """A leaf that waits, then returns its input in some form."""

    def __init__(self, plant: Plant, spot: str, give: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.plant, self.spot, self.give = plant, spot, give

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        """The input in that form, after the waits."""
        return self.give(self.plant.at(self.spot, x))


Use = Callable[[nn.Module, Tensor], Tensor]


class Net(nn.Module):
    """A layer, the part that a case tests, functional code, and a layer."""

    def __init__(self, plant: Plant, part: nn.Module, use: Use) -> None:
        super().__init__()
        self.plant, self.use = plant, use
        self.first, self.part, self.last = plant.layer("first"), part, plant.layer("last")

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        y = self.use(self.part, self.first(x))
        return cast("Tensor", self.last(self.plant.at(BETWEEN, y)))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, its planted row, and how often each row runs."""

    name: str
    part: Callable[[Plant], nn.Module]
    use: Use = lambda part, x: part(x)
    spot: str = "part"
    """The row with the planted wait."""
    calls: dict[str, int] = field(default_factory=dict)
    """How often a step calls a layer, for layers that it does not call once."""
    again: dict[str, int] = field(default_factory=dict)
    """How often backward computes a row's forward again."""
    forward_only: tuple[str, ...] = ()
    """The layers that have no backward."""
    around: Callable[[], Any] = nullcontext
    """The context of the steps."""

    def net(self, plant: Plant) -> nn.Module:
        """The model."""
        return Net(plant, self.part(plant), self.use)

    def spots(self) -> list[str]:
        """The rows that wait."""
        return list(dict.fromkeys(("first", self.spot, *self.again, *self.calls, BETWEEN, "last")))

    def expected(self, delays_s: dict[Owner, float]) -> dict[Owner, float]:
        """The seconds of each row if nothing but the waits takes time."""
        expected_s = {}
        for (spot, phase), delay_s in delays_s.items():
            seconds = delay_s * self.calls.get(spot, 1)
            if phase == "backward" and spot in self.forward_only:
                seconds = 0.0
            elif phase == "backward":
                seconds += delays_s[spot, "forward"] * self.again.get(spot, 0)
            expected_s[spot, phase] = seconds
        return expected_s


class Pair(NamedTuple):
    """Two tensors by name."""

    one: Tensor
    two: Tensor


@dataclass
class Output:
    """A tensor in a record."""

    hidden: Tensor


class Twins(nn.Module):
    """One layer under two parents, a functional line between its calls, and one that is never called."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        shared = plant.layer("part.left.0")
        self.plant, self.left, self.right = plant, nn.Sequential(shared), nn.Sequential(shared)
        self.unused = plant.layer("part.unused")

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return cast("Tensor", self.right(self.plant.at("part", self.left(x))))


class Block(nn.Module):
    """Two layers with functional code between them and, with `tail`, after them."""

    def __init__(self, plant: Plant, *, tail: bool) -> None:
        super().__init__()
        self.plant, self.tail = plant, tail
        self.a, self.b = plant.layer("part.a"), plant.layer("part.b")

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        x = self.b(self.plant.at("part", self.a(x)))
        return self.plant.at("part", x) if self.tail else x


class Attention(nn.Module):
    """Functional code between two layers, as that of attention: what comes first goes in three ways to what follows."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant = plant
        self.qkv, self.out = plant.layer("part.attention.qkv"), plant.layer("part.attention.out")

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        q, k, v = self.qkv(x).repeat(1, 3, 1, 1).chunk(3, dim=1)
        return cast("Tensor", self.out(self.plant.at("part.attention", (q * k).softmax(dim=-1) * v)))


class Residual(nn.Module):
    """A block of a transformer: code of its own before and after a module that has code of its own."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.attention = plant, Attention(plant)
        self.mlp = nn.Sequential(plant.layer("part.mlp.0"), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        x = x + self.attention(self.plant.at("part", x))
        return self.plant.at("part", x + self.mlp(x))


class Aside(nn.Module):
    """Functional code whose result passes by the layer that follows it, twice."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.layer = plant, plant.layer("part.layer")

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        one = self.plant.at("part", x)
        y = self.layer(x)
        two = self.plant.at("part", x)
        return cast("Tensor", self.layer(y) + one * two)


class Auxiliary(nn.Module):
    """A layer, and a loss that is computed from its result and kept aside; and a result that nobody uses."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.layer = plant, plant.layer("part.layer")
        self.aside = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """The layer's result."""
        y = self.plant.at("part", x)
        gate = y.sigmoid()
        y = cast("Tensor", self.layer(y) * gate.detach())
        self.aside = self.plant.at("part", y)
        return y


def with_aside(part: nn.Module, x: Tensor) -> Tensor:
    """Both results of such a part."""
    return cast("Tensor", part(x) + part.aside)


class Penalty(nn.Module):
    """A layer whose forward asks for a gradient of another one."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.layer = plant, plant.layer("part.layer")

    def forward(self, x: Tensor) -> Tensor:
        """A tensor of the input's shape."""
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            y = self.layer(own)
        [gradient] = torch.autograd.grad(y.sum(), own)
        return self.plant.at("part", x) + gradient


class ByName(nn.Module):
    """Functional code, and a layer that is called by keyword arguments only."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant, self.layer = plant, plant.layer("part.layer")

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return cast("Tensor", self.layer(x=self.plant.at("part", x)))


class Waiting(nn.Module):
    """A parametrization that waits, then returns the parameter."""

    def __init__(self, plant: Plant) -> None:
        super().__init__()
        self.plant = plant

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, after its waits."""
        return self.plant.at("part", weight)


def convolution() -> nn.Conv2d:
    """A small convolution that keeps the shape."""
    return nn.Conv2d(4, 4, 3, padding=1)


def parametrized(plant: Plant) -> nn.Module:
    """A convolution whose weight comes from a user's parametrization."""
    module = convolution()
    parametrize.register_parametrization(module, "weight", Waiting(plant))
    return module


def packed(part: nn.Module, x: Tensor) -> Tensor:
    """Sequences of two lengths through an LSTM."""
    output, _ = part(rnn.pack_padded_sequence(x.flatten(2), [4, 3], batch_first=True))
    return rnn.pad_packed_sequence(output, batch_first=True)[0].reshape(SHAPE)


def returning_nothing(plant: Plant) -> nn.Module:
    """A layer that returns nothing, and keeps its result as an attribute."""

    def keep(x: Tensor) -> None:
        layer.kept = x.detach()

    layer = plant.layer("part", keep)
    return layer


def with_kept(part: nn.Module, x: Tensor) -> Tensor:
    """The input plus what such a layer has kept."""
    part(x)
    return x + part.kept  # type: ignore[operator]


def no_grad(part: nn.Module, x: Tensor) -> Tensor:
    """The input plus the part's output, which has no gradient."""
    with torch.no_grad():
        y = part(x)
    return cast("Tensor", x + y)


def replaced(plant: Plant) -> nn.Module:
    """A layer whose output a user's hook replaces."""
    layer = nn.ReLU()
    layer.register_forward_hook(lambda _m, _x, y: plant.at("part", y))
    return layer


def returning(name: str, give: Callable[[Tensor], Any], use: Callable[[Any], Tensor]) -> Case:
    """A layer that returns what `give` makes of its input; `use` takes the tensor out of it."""
    return Case(name=name, part=lambda plant: plant.layer("part", give), use=lambda part, x: use(part(x)))


def checkpoint_case(name: str, *, tail: bool, reentrant: bool, around: Callable[[], Any] = nullcontext) -> Case:
    """A block under a checkpoint, which computes all of it again in backward."""
    return Case(
        name=name, part=lambda plant: Block(plant, tail=tail), spot="part.b", around=around,
        calls={"part": 2 if tail else 1}, again={"part.a": 1, "part.b": 1, "part": 2 if tail else 1},
        use=lambda part, x: cast("Tensor", checkpoint(part, x, use_reentrant=reentrant)),
    )  # fmt: skip


CASES = [
    checkpoint_case("checkpoint", tail=False, reentrant=False),
    checkpoint_case("checkpoint, functional end", tail=True, reentrant=False),
    checkpoint_case("checkpoint, no early stop", tail=False, reentrant=False,
                    around=lambda: set_checkpoint_early_stop(False)),
    checkpoint_case("checkpoint, reentrant", tail=False, reentrant=True),
    checkpoint_case("checkpoint, reentrant, functional end", tail=True, reentrant=True),
    Case(name="keyword arguments only", part=ByName, spot="part.layer", calls={"part": 1}),
    Case(name="code of a module around its layers", part=Residual, spot="part.attention",
         calls={"part": 2, "part.attention.qkv": 1, "part.attention.out": 1, "part.mlp.0": 1}),
    Case(name="code that passes by a layer", part=Aside, calls={"part": 2, "part.layer": 2}),
    Case(name="code around all modules that passes by one", part=lambda p: p.layer("part"), calls={BETWEEN: 2},
         use=lambda part, x: part.plant.at(BETWEEN, x) + part(x)),  # type: ignore[operator, union-attr]
    Case(name="a loss kept aside", part=Auxiliary, use=with_aside, calls={"part": 2, "part.layer": 1}),
    Case(name="a gradient within forward", part=Penalty, calls={"part": 1, "part.layer": 1}),
    returning("a deque", lambda x: deque([x]), lambda y: y[0]),
    returning("a tuple", lambda x: (x, 1), lambda y: y[0]),
    returning("a dict of lists", lambda x: {"a": [x]}, lambda y: y["a"][0]),
    returning("a named tuple", lambda x: Pair(x, x), lambda y: y.one),
    returning("a dataclass", Output, lambda y: y.hidden),
    returning("an object", lambda x: SimpleNamespace(deep=SimpleNamespace(y=x)), lambda y: y.deep.y),
    returning("a distribution", lambda x: torch.distributions.Normal(x, 1.0), lambda y: y.rsample()),
    Case(name="nothing", part=returning_nothing, use=with_kept, forward_only=("part",)),
    Case(name="called three times", part=lambda p: p.layer("part"), use=lambda part, x: part(part(part(x))),
         calls={"part": 3}),
    Case(name="shared by two parents, and one never called", part=Twins, spot="part.left.0",
         calls={"part.left.0": 2, "part.unused": 0, "part": 1}),
    Case(name="parametrized", part=parametrized),
    Case(name="weight norm", part=lambda p: parametrizations.weight_norm(p.slowed(convolution(), "part"))),
    Case(name="weight norm, old", part=lambda p: p.slowed(weight_norm(convolution()), "part")),
    Case(name="spectral norm", part=lambda p: parametrizations.spectral_norm(p.slowed(convolution(), "part"))),
    Case(name="an LSTM of packed sequences", use=packed,
         part=lambda p: p.slowed(nn.LSTM(16, 16, batch_first=True), "part")),
    Case(name="without gradients", part=lambda p: p.layer("part"), use=no_grad, forward_only=("part",)),
    Case(name="the output replaced by a hook", part=replaced),
    Case(name="a traced part", part=lambda p: p.slowed(
        torch.jit.trace(nn.Sequential(convolution(), nn.Tanh()), torch.ones(SHAPE)), "part")),
    Case(name="followed by an Identity", part=lambda p: nn.Sequential(p.layer("part.0"), nn.Identity()), spot="part.0"),
]  # fmt: skip
