"""What a trial measures, and its text in trials.csv."""

from collections.abc import Iterable
from enum import StrEnum


class Probe(StrEnum):
    """What is measured, in the order in which a trial measures it."""

    STEPS = "steps"
    """LAYERS to NUMERICS are measured in the same process."""
    LAYERS = "layers"
    LATENCY = "latency"
    """Single calls, in inference."""
    CANARY = "canary"
    LOADER = "loader"
    KERNELS = "kernels"
    WORK = "work"
    """What each layer has to do: operations and bytes."""
    ROOFS = "roofs"
    """What the device can do at most."""
    PERIODIC = "periodic"
    """What a task does once in many steps."""
    NUMERICS = "numerics"
    """The last in its process: it changes the weights."""

    MEMORY = "memory"
    """This one and each below has a process of its own."""
    FIT = "fit"
    """Whether a batch fits."""
    EPOCH = "epoch"
    SUSTAINED = "sustained"
    TRACE = "trace"
    BUILD = "build"
    """Nothing is measured: the model is made and tried."""


SEPARATOR = "+"
PATTERN = rf"({'|'.join(Probe)})(\+({'|'.join(Probe)}))*"
"""A regular expression that matches the text of one or more probes."""


def as_text(probes: Iterable[Probe]) -> str:
    """The probes as one text: `steps+layers+kernels`."""
    return SEPARATOR.join(probes)


def from_text(text: str) -> tuple[Probe, ...]:
    """The probes of a text. Raises ValueError if one is unknown."""
    return tuple(map(Probe, text.split(SEPARATOR)))
