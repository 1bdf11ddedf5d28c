"""What a trial measures, and the text that stands for it in trials.csv."""

from collections.abc import Iterable
from enum import StrEnum


class Probe(StrEnum):
    """What is measured, in the order in which a trial does so."""

    STEPS = "steps"
    """What follows shares their process."""
    LAYERS = "layers"
    CANARY = "canary"
    LOADER = "loader"
    KERNELS = "kernels"
    NUMERICS = "numerics"
    """After all others: it changes the weights."""

    MEMORY = "memory"
    """This and all below have a process of their own."""
    FIT = "fit"
    """Whether a batch fits."""
    EPOCH = "epoch"
    SUSTAINED = "sustained"
    TRACE = "trace"
    BUILD = "build"
    """Nothing: the model is made and tried."""


SEPARATOR = "+"
PATTERN = rf"({'|'.join(Probe)})(\+({'|'.join(Probe)}))*"
"""What matches the text of some probes."""


def as_text(probes: Iterable[Probe]) -> str:
    """The probes as one text: `steps+layers+kernels`."""
    return SEPARATOR.join(probes)


def from_text(text: str) -> tuple[Probe, ...]:
    """The probes of a text; ValueError for one that is none."""
    return tuple(map(Probe, text.split(SEPARATOR)))
