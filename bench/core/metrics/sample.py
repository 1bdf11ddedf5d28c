"""One measured value, as in a trial's reply and in samples.csv."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from bench.core.facts import Count, Name, PositiveCount, Word


class Scope(StrEnum):
    """What a value is of."""

    STEP = "step"
    PHASE = "phase"
    LAYER = "layer"
    PROCESS = "process"


class Sample(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of samples.csv without the trial's id; the fields are its columns in order."""

    probe: Name
    scope: Scope
    layer: Word = ""
    phase: Word = ""
    rank: Count | None = None
    """The process that it is of, in a trial of several; None for what holds for the whole trial."""
    metric: Annotated[str, Meta(pattern=r"^\w+$", max_length=1000)]
    unit: Name
    iterations: PositiveCount = 1
    """How many steps or calls the value is the mean of."""
    index: Count = 0
    """The sample's number among those of its kind."""
    value: float
