"""The layers of a model by name: its leaf modules, and the modules around them that have code of their own."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from bench.core.traces import RESERVED

PARAMETRIZATIONS = "parametrizations"
"""The child that torch.nn.utils.parametrize gives a module, to make its parameters from others."""


def walk(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module with each of its attribute paths, a module before its children. What is within a leaf is left out.

    The model itself has an empty path.
    """
    yield path, model
    for name, child in children_of(model).items():
        yield from walk(child, f"{path}.{name}" if path else name)


def children_of(module: nn.Module) -> dict[str, nn.Module]:
    """The children that a module may call, by name. What torch.jit runs whole calls none.

    A child that only makes the module's parameters (torch.nn.utils.parametrize) is none of them.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return {}
    made = PARAMETRIZATIONS if is_parametrized(module) else ""
    # Not named_children: it leaves out the second name of a module.
    children = module._modules.items()  # noqa: SLF001
    return {name: child for name, child in children if child is not None and name != made}


def paths(model: nn.Module) -> dict[nn.Module, list[str]]:
    """The attribute paths of each layer, in the model's order, a module before those within it.

    Layers are the leaves, and every module around them whose forward does more than call its children. The model itself
    is none, unless it is a leaf, with the path `.`: what runs in its forward outside of all layers is `between`.
    """
    by_module: dict[nn.Module, list[str]] = {}
    for path, module in walk(model):
        if is_leaf(module) or (path and has_code(module)):
            by_module.setdefault(module, []).append(path or ".")
    return by_module


def tree(model: nn.Module) -> dict[str, nn.Module]:
    """The layers, each once, by name: its first path, with a dot in front if that path is a name of our own."""
    return {named(names[0]): module for module, names in paths(model).items()}


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that are leaves, by name."""
    return {name: module for name, module in tree(model).items() if is_leaf(module)}


def is_leaf(module: nn.Module) -> bool:
    """Whether a module calls no other."""
    return not children_of(module)


def has_code(module: nn.Module) -> bool:
    """Whether a module's forward may do more than call its children in a row."""
    return type(module).forward not in (nn.Sequential.forward, nn.Module.forward)


def named(path: str) -> str:
    """The name of the leaf at a path."""
    return f".{path}" if path in RESERVED else path


def block_of(path: str) -> str:
    """The top-level child that holds a leaf."""
    return path.partition(".")[0] or path


def type_of(leaf: nn.Module) -> str:
    """The name of a leaf's type, as it was before anything was parametrized."""
    return str(type_before_parametrizations(leaf).__name__)
