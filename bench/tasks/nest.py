"""Tensors in any nest: tuples, lists, mappings, dataclasses and other objects, such as a tokenizer's batch."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

DEEPEST = 5
"""How many objects deep tensors are sought."""

Change = Callable[[torch.Tensor], torch.Tensor]


def tensors(value: object, depth: int = DEEPEST, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """The tensors in a value, also within tuples, lists, mappings and other objects.

    `seen` holds the ids of the objects looked into already: objects may hold each other.
    """
    if isinstance(value, torch.Tensor):
        yield value
        return
    seen = set() if seen is None else seen
    if depth and id(value) not in seen:
        seen.add(id(value))
        for item in contents(value):
            yield from tensors(item, depth - 1, seen)


def contents(value: object) -> list[object]:
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


def changed(value: Any, change: Change, depth: int = DEEPEST) -> Any:  # noqa: ANN401 - of the same type
    """A value with each of its tensors changed. The value itself stays as it is."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if not depth or not any(True for _ in tensors(value, depth)):
        return value
    if isinstance(value, (tuple, list)):
        items = [changed(item, change, depth - 1) for item in value]
        if hasattr(value, "_fields"):  # a named tuple
            return type(value)(*items)
        return type(value)(items)
    other = copy.copy(value)
    if isinstance(value, Mapping):
        for key, item in value.items():
            other[key] = changed(item, change, depth - 1)
        return other
    names = [field.name for field in fields(value)] if is_dataclass(value) else list(vars(value))
    for name in names:
        object.__setattr__(other, name, changed(getattr(value, name), change, depth - 1))  # a dataclass may be frozen
    return other
