"""One measured value, as a trial replies with it and as samples.csv has it."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a value is of."""

    STEP = "step"
    PHASE = "phase"
    LAYER = "layer"
    PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A row of samples.csv without the trial's id: the fields are its columns, in their order."""

    probe: str
    scope: Scope
    layer: str = ""
    phase: str = ""
    metric: str
    unit: str
    iterations: int = 1
    """The steps or calls of which the value is the mean."""
    index: int = 0
    """The sample's number among those of its kind."""
    value: int | float

    def row(self) -> dict[str, str | int | float]:
        """The sample by column."""
        return asdict(self)
