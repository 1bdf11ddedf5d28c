"""At a border a visitor sees what passes, forward and backward, and decides what goes on."""

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.measure.validity.borders import Border, mapped, visited

Pair = namedtuple("Pair", "first second")  # noqa: PYI024 - what a user's model may return


@dataclass
class Noting:
    """Notes what passes, and lets zeros go on at some borders."""

    blocked: tuple[str, ...] = ()
    values: dict[tuple[str, int, str], Tensor] = field(default_factory=dict)
    gradients: dict[tuple[str, int, str], Tensor] = field(default_factory=dict)

    def value(self, border: Border, x: Tensor) -> Tensor:
        self.values[border.path, border.call, border.side] = x.detach().clone()
        return torch.zeros_like(x) if border.path in self.blocked else x.clone()

    def gradient(self, border: Border, g: Tensor) -> Tensor:
        self.gradients[border.path, border.call, border.side] = g.clone()
        return g


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))


def test_each_tensor_is_shown_once_with_its_value_and_gradient() -> None:
    model, noted, x = small(), Noting(), torch.rand(3, 4)
    with visited(model, noted):
        model(x).sum().backward()

    assert list(noted.values) == [("0", 0, "input"), ("0", 0, "output"), ("1", 0, "output"), ("2", 0, "output")]
    assert set(noted.gradients) == {("0", 0, "output"), ("1", 0, "output"), ("2", 0, "output")}
    assert torch.equal(noted.values["0", 0, "output"], model[0](x))
    assert torch.equal(noted.gradients["2", 0, "output"], torch.ones(3, 2))
    assert torch.equal(noted.gradients["1", 0, "output"], torch.ones(3, 2) @ model.get_parameter("2.weight"))


def test_nothing_changes_where_all_goes_on_as_it_is() -> None:
    gradients = []
    for instrumented in (False, True):
        model, x = small(), torch.ones(3, 4)
        if instrumented:
            with visited(model, Noting()):
                model(x).square().sum().backward()
        else:
            model(x).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])

    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_what_a_visitor_lets_go_on_is_what_the_next_layer_gets() -> None:
    model = small()
    with visited(model, Noting(blocked=("1",))):
        scores = model(torch.rand(3, 4))

    assert torch.equal(scores, model.get_parameter("2.bias").expand(3, 2))


class Odd(nn.Module):
    """Calls a layer twice, by keyword too, and returns a named tuple within a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.layer: nn.Module = nn.Linear(4, 4)
        self.pair = Twin()

    def forward(self, x: Tensor) -> Tensor:
        layer: Any = self.layer
        both: Any = self.pair(layer(input=layer(x) + 1))
        return both["found"].first * both["found"].second  # type: ignore[no-any-return]


class Twin(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Pair]:
        return {"found": Pair(x, x * 2)}


def test_calls_keywords_and_nests_are_told_apart() -> None:
    model, noted = Odd(), Noting()
    with visited(model, noted):
        model(torch.rand(3, 4)).sum().backward()

    assert {("layer", 0, "output"), ("layer", 1, "input"), ("layer", 1, "output"), ("", 0, "output")} < set(
        noted.values
    )
    assert torch.equal(noted.values["layer", 1, "input"], noted.values["layer", 0, "output"] + 1)
    assert ("layer", 1, "input") in noted.gradients


def test_nests_keep_their_kinds() -> None:
    value = {"a": [torch.ones(1), Pair(torch.ones(1), torch.ones(1, dtype=torch.long))], "b": ("text", None)}
    seen: list[tuple[object, ...]] = []

    def more(x: Tensor, at: tuple[object, ...]) -> Tensor:
        seen.append(at)
        return x + 1

    found = mapped(value, more)

    assert seen == [("a", 0), ("a", 1, 0)]
    assert isinstance(found["a"][1], Pair)
    assert [float(found["a"][0]), float(found["a"][1].first), int(found["a"][1].second)] == [2, 2, 1]
    assert found["b"] == ("text", None)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpointed_block_passes_its_borders_again(use_reentrant: bool) -> None:
    class Saved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.head = small(), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(checkpoint(self.block, x, use_reentrant=use_reentrant))  # type: ignore[no-any-return]

    model, noted = Saved(), Noting()
    with visited(model, noted):
        model(torch.rand(3, 4, requires_grad=True)).sum().backward()

    assert torch.equal(noted.values["block.0", 1, "output"], noted.values["block.0", 0, "output"])
    assert all(p.grad is not None for p in model.parameters())
