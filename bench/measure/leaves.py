"""The layers of a model: its leaf modules by name, and the tensors that go in and come out."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from bench.core.traces import RESERVED

DEEPEST = 5
"""How many objects deep `tensors` looks."""
PARAMETRIZATIONS = "parametrizations"
"""The child that torch.nn.utils.parametrize gives a module, to make its parameters from others."""


def paths(model: nn.Module) -> dict[nn.Module, list[str]]:
    """The attribute paths of each leaf, in the model's order. A model without children has the path `.`.

    A module whose only child makes its parameters (torch.nn.utils.parametrize) is a leaf, and so is a part that
    torch.jit runs whole, without calling its children.
    """
    by_leaf: dict[nn.Module, list[str]] = {}

    def visit(module: nn.Module, path: str) -> None:
        # Not named_children: it leaves out the second name of a module.
        children = {name: child for name, child in module._modules.items() if child is not None}  # noqa: SLF001
        if is_parametrized(module):
            children.pop(PARAMETRIZATIONS)
        if not children or isinstance(module, torch.jit.ScriptModule):
            by_leaf.setdefault(module, []).append(path or ".")
            return
        for name, child in children.items():
            visit(child, f"{path}.{name}" if path else name)

    visit(model, "")
    return by_leaf


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The leaf modules, each once, by name: its first path, with a dot in front if that path is a name of our own."""
    return {named(names[0]): module for module, names in paths(model).items()}


def named(path: str) -> str:
    """The name of the leaf at a path."""
    return f".{path}" if path in RESERVED else path


def block_of(path: str) -> str:
    """The top-level child that holds a leaf."""
    return path.partition(".")[0] or path


def type_of(leaf: nn.Module) -> str:
    """The name of a leaf's type, as it was before anything was parametrized."""
    return str(type_before_parametrizations(leaf).__name__)


def tensors(value: object, depth: int = DEEPEST, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """The tensors in a module's input or output, also within tuples, lists, mappings and other objects.

    `seen` holds the ids of the objects looked into already: objects may hold each other.
    """
    if isinstance(value, torch.Tensor):
        yield value
        return
    seen = set() if seen is None else seen
    if depth and id(value) not in seen:
        seen.add(id(value))
        for item in _contents(value):
            yield from tensors(item, depth - 1, seen)


def _contents(value: object) -> list[object]:
    """What a value holds; nothing for a module, which has tensors of its own."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (nn.Module, type)):
        return []
    if is_dataclass(value):
        return [getattr(value, field.name, None) for field in fields(value)]
    return list(getattr(value, "__dict__", {}).values())
