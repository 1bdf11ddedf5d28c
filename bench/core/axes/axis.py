"""Axis and Value: all that the rest of the code knows of a choice, so that a new one is data in a file of its own."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from bench.core.axes.place import Place

UNSET = "unset"
"""The text of a value that is None."""


class SetBy(Enum):
    """Who makes a value take effect."""

    TRAINER = auto()
    """nin's Trainer: the axis is a field of its Setup, and an option of `python -m nin`."""
    NIN = auto()
    """Another part of nin: the axis is an option of `python -m nin`."""
    CHILD = auto()
    """The process of the trial: by its environment, and by flags of torch that it sets before the model is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an axis. The axes whose values need more have a subclass."""

    name: str = field(kw_only=False)
    words: str = ""
    """What a label says of it; its name where empty."""
    python: tuple[str, ...] = ()
    """The lines of Python by which a reader has it; those that set its flags where empty."""
    exports: tuple[str, ...] = ()
    """The variables by which a reader has it, NAME=VALUE; those of its process where empty."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the environment of its process has."""
    flags: Mapping[str, object] = field(default_factory=dict)
    """By dotted name below `torch`, what a flag must be: `backends.cudnn.benchmark`."""
    preload: tuple[str, ...] = ()
    """The names of a library, as ctypes.util.find_library takes them: the first that is there is loaded before all."""
    package: str = ""
    """The Debian package that has the library."""
    needs_cuda: str = ""
    """Why it runs on CUDA devices alone; empty where it does not."""

    @property
    def label(self) -> str:
        """What a label says of it."""
        return self.words or self.name

    @property
    def python_lines(self) -> tuple[str, ...]:
        """The lines of Python by which a reader has it."""
        return self.python or tuple(f"torch.{flag} = {literal(value)}" for flag, value in self.flags.items())

    @property
    def export_words(self) -> tuple[str, ...]:
        """The variables by which a reader has it, as a shell takes them before a command."""
        return self.exports or tuple(f"{name}={value}" for name, value in self.variables.items())

    def why_not(self, place: Place) -> str:
        """Why it can't run on a device, in words; empty where nothing is known against it."""
        if self.needs_cuda and not place.on_cuda:
            return self.needs_cuda
        if self.preload and not place.machine.libraries.get(self.name):
            return f"{self.name} is not installed" + (f" (Debian: {self.package})" if self.package else "")
        return ""


def literal(value: object) -> str:
    """A flag's value as Python code, text in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


V = TypeVar("V", bound=Value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis(Generic[V]):
    """A choice: its named values, or a pattern and what makes a value of a text that it matches."""

    default: str
    values: dict[str, V] = field(default_factory=dict)
    """By name, the default first."""
    pattern: str = ""
    what: str = ""
    """The pattern in words, for errors."""
    of: Callable[[str], V] | None = None
    """The value of a text that the pattern matches."""
    parse: Callable[[str], str | int | None] = str
    """A text as Variant has it."""
    mark: str = "{}"
    """How an id has a value."""
    always_in_id: bool = False
    """Whether an id has the default, too."""
    in_baseline: bool = False
    """Whether a variant's baseline has the same value; every other axis is at its default there."""
    set_by: SetBy = SetBy.CHILD
    of_cuda: bool = False
    """Whether it changes nothing but on CUDA devices."""
    overrides: tuple[str, ...] = ()
    """Variables of the user that would make a value mean something else: no trial has them."""

    def value(self, text: str) -> V:
        """The value with this name; KeyError for one that is not there."""
        return self.values[text] if self.of is None else self.of(text)

    def regex(self) -> str:
        """What matches a value, the longest first."""
        return self.pattern or "|".join(map(re.escape, sorted(self.values, key=len, reverse=True)))

    def describe(self) -> str:
        """The values in words."""
        return self.what or ", ".join(self.values)

    def variables(self) -> Iterator[str]:
        """Every variable of the user that no trial has."""
        yield from self.overrides
        for value in self.values.values():
            yield from value.variables


def by_name(*values: V) -> dict[str, V]:
    """The values of an axis, the default first."""
    return {value.name: value for value in values}
