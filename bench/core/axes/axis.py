"""Axis and Value: all that the rest of the code knows of a choice. A new axis or value is data in a file of its own."""

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
    """The process of the trial, by its environment and by flags of torch that it sets before it makes the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an axis. The axes whose values need more have a subclass."""

    name: str = field(kw_only=False)
    words: str = ""
    """What a label says of it; if empty, its name."""
    python: tuple[str, ...] = ()
    """The lines of Python that a reader needs for it; if empty, those that set its flags."""
    inference: tuple[str, ...] = ()
    """The lines of Python for it in inference; if empty, those for training."""
    exports: tuple[str, ...] = ()
    """The variables that a reader needs for it, as NAME=VALUE; if empty, those of its process."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the environment of its process must have."""
    flags: Mapping[str, object] = field(default_factory=dict)
    """What each flag of torch must be, by its dotted name: `backends.cudnn.benchmark`."""
    preload: tuple[str, ...] = ()
    """The names of a library for ctypes.util.find_library. The first that is installed is loaded before all else."""
    package: str = ""
    """The Debian package that has the library."""
    needs_cuda: str = ""
    """Why it runs on CUDA devices alone; empty if it does not."""

    @property
    def label(self) -> str:
        """What a label says of it."""
        return self.words or self.name

    @property
    def python_lines(self) -> tuple[str, ...]:
        """The lines of Python that a reader needs for it."""
        return self.python or tuple(f"torch.{flag} = {literal(value)}" for flag, value in self.flags.items())

    @property
    def export_words(self) -> tuple[str, ...]:
        """The variables that a reader needs for it, as a shell takes them before a command."""
        return self.exports or tuple(f"{name}={value}" for name, value in self.variables.items())

    def why_not(self, place: Place) -> str:
        """Why it can't run on a device, in words; empty if nothing is known against it."""
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
    """A choice. Its values have names, or a pattern says which texts are values."""

    default: str
    values: dict[str, V] = field(default_factory=dict)
    """By name, the default first."""
    pattern: str = ""
    pattern_words: str = ""
    """The pattern in words, for errors."""
    of: Callable[[str], V] | None = None
    """Returns the value of a text that the pattern matches."""
    parse: Callable[[str], str | int | None] = str
    """Turns a text into what Variant holds."""
    mark: str = "{}"
    """How a value is written in an id."""
    always_in_id: bool = False
    """Whether an id names the default too."""
    in_baseline: bool = False
    """Whether a variant's baseline has the variant's value; otherwise it has the default."""
    set_by: SetBy = SetBy.CHILD
    of_cuda: bool = False
    """Whether it changes something on CUDA devices only."""
    of_training: str = ""
    """Why its values change nothing in inference, in words; empty if they do."""
    overrides: tuple[str, ...] = ()
    """Variables of the user that would change what a value means. They are removed for every trial."""

    def value(self, text: str) -> V:
        """The value with this name. Raises KeyError if there is none."""
        return self.values[text] if self.of is None else self.of(text)

    def regex(self) -> str:
        """A regular expression that matches any value, longer names first."""
        return self.pattern or "|".join(map(re.escape, sorted(self.values, key=len, reverse=True)))

    def describe(self) -> str:
        """The values in words."""
        return self.pattern_words or ", ".join(self.values)

    def variables(self) -> Iterator[str]:
        """Every variable of the user that is removed for a trial."""
        yield from self.overrides
        for value in self.values.values():
            yield from value.variables


def by_name(*values: V) -> dict[str, V]:
    """The values of an axis, the default first."""
    return {value.name: value for value in values}
