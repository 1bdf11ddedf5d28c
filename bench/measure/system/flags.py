"""The flags of torch that a variant's values name: set before the model is made, and checked later."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import torch

from bench.core.axes.axis import Axis, SetBy, Value
from bench.core.variants import AXES, Variant


def set_flags(variant: Variant) -> None:
    """Set the flags that nin's Trainer does not set itself."""
    for _, axis, value in axes_of(variant):
        if axis.set_by is SetBy.CHILD:
            for flag, setting in value.flags.items():
                holder, _, attribute = flag.rpartition(".")
                setattr(attrgetter(holder)(torch), attribute, setting)


def wrong_flag(variant: Variant) -> str:
    """Which flag differs from what the variant asks for, in words; empty if none does."""
    for name, _, value in axes_of(variant):
        for flag, setting in value.flags.items():
            actual = attrgetter(flag)(torch)
            if actual != setting:
                return f"{name} {value.name} asks for {setting} in torch.{flag}, which is {actual}"
    return ""


def axes_of(variant: Variant) -> Iterator[tuple[str, Axis[Any], Value]]:
    """The axes that change something on the variant's device, each with its name and the variant's value."""
    for name, value in variant.values.items():
        if variant.on_cuda or not AXES[name].of_cuda:
            yield name, AXES[name], value
