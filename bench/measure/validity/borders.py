"""The borders of a model's leaves, at which a calculation is compared with another one and put right again.

What comes to a border, forward or backward, is compared; what goes on from it is what the reference had there. So every
stretch of a calculation (a leaf, or code between leaves) starts from exact values: an error shows in the stretch that
makes it, and later layers amplify no rounding.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from bench.measure.leaves import leaves

MARK = "_border"
"""The attribute of a tensor that comes from a border: its version there, which changes when something writes to it."""


@dataclass(frozen=True, slots=True)
class Border:
    """A tensor that enters or leaves a leaf in one of its calls; the model's own output has the empty path."""

    path: str
    call: int
    side: str
    """input or output."""
    at: tuple[object, ...]
    """The tensor's position among the arguments or in what was returned."""


class Visitor(Protocol):
    """What happens at borders."""

    def value(self, border: Border, x: torch.Tensor) -> torch.Tensor:
        """The new tensor that goes on in place of `x`, of its shape and type."""

    def gradient(self, border: Border, g: torch.Tensor) -> torch.Tensor:
        """The gradient that goes on in place of `g`."""


class Passing:
    """A visitor that lets everything go on as it is."""

    def value(self, border: Border, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the protocol's
        """The same numbers."""
        return x.clone()

    def gradient(self, border: Border, g: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """The same gradient."""
        return g


class Visit(torch.autograd.Function):
    """Shows a visitor the value that passes forward, and the gradient that passes backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, border: Border, visitor: Visitor) -> torch.Tensor:  # noqa: ANN401
        """What the visitor lets go on."""
        ctx.border, ctx.visitor = border, visitor
        return visitor.value(border, x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: ANN401
        """The gradient that the visitor lets go on."""
        return ctx.visitor.gradient(ctx.border, g), None, None


@contextmanager
def visited(model: nn.Module, visitor: Visitor) -> Iterator[None]:
    """Within, every tensor that enters or leaves a leaf passes the visitor.

    A tensor that goes unchanged from one border to the next is shown once.
    """
    calls: dict[str, int] = defaultdict(int)

    def shown(path: str, side: str, value: object) -> Any:  # noqa: ANN401 - of the same type
        return mapped(value, lambda x, at: visit(x, Border(path, calls[path], side, at), visitor))

    def before(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return shown(path, "input", args), shown(path, "input", kwargs)

    def after(path: str, output: object) -> object:
        visited_output = shown(path, "output", output)
        calls[path] += 1
        return visited_output

    handles = []
    for path, leaf in leaves(model).items():
        handles += [
            leaf.register_forward_pre_hook(lambda _m, a, k, path=path: before(path, a, k), with_kwargs=True),
            leaf.register_forward_hook(lambda _m, _a, y, path=path: after(path, y)),
        ]
    handles.append(model.register_forward_hook(lambda _m, _a, y: after("", y)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def visit(x: torch.Tensor, border: Border, visitor: Visitor) -> torch.Tensor:
    """What goes on from a border; `x` itself if it comes from a border and nothing wrote to it since."""
    if getattr(x, MARK, None) == x._version:  # noqa: SLF001 - torch has no other name for it
        return x
    y: torch.Tensor = Visit.apply(x, border, visitor)
    setattr(y, MARK, y._version)  # noqa: SLF001
    return y


def mapped(value: Any, change: Callable[[torch.Tensor, tuple[object, ...]], torch.Tensor], *at: object) -> Any:  # noqa: ANN401
    """The value with each float tensor changed, through tuples, lists and dicts; all else as it is."""
    if isinstance(value, torch.Tensor):
        return change(value, at) if value.is_floating_point() else value
    if type(value) is dict:
        return {key: mapped(inner, change, *at, key) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        items = [mapped(inner, change, *at, index) for index, inner in enumerate(value)]
        if hasattr(value, "_fields"):  # a named tuple
            return type(value)(*items)
        return type(value)(items) if type(value) in (tuple, list) else value
    return value
