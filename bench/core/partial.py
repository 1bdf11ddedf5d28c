"""How far a variant took effect: how many layers did what it asks. No torch and no pandas here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.core.axes.memory_format import MEMORY_FORMAT
from bench.core.axes.precision import PRECISION
from bench.core.variants import Variant

IMAGE_LAYERS = ("Conv", "BatchNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "ReLU")
"""Leaves whose output must keep the memory format; others, such as a LayerNorm over channels, may permute."""
COMPUTING_LAYERS = ("Conv", "Linear")
"""Leaves that compute in the requested type; under autocast others choose their own."""
EITHER = "both"
"""The format if a shape lies in memory the same way in both: it shows nothing."""
WEIGHTS_GOT, WEIGHTS_OF = "weights_as_asked", "weights_that_tell"
"""The metrics of a trial for its parameters: layers.csv has its outputs."""

Facts = Mapping[str, Any]
"""What a layer is and returned: a row of layers.csv."""


class Counted(StrEnum):
    """The kinds of things that a Share counts."""

    COMPUTING = "computing layers"
    OUTPUTS = "image layers' outputs"
    GRADIENTS = "gradients"
    WEIGHTS = "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many outputs, gradients or weights are as the variant asks, of those that can show it."""

    counted: Counted
    asked: str
    """What the variant asks for: nchw, nhwc, or the name of a type."""
    got: int
    """How many are as asked."""
    of: int
    """How many can show it."""

    @property
    def whole(self) -> bool:
        """Whether all are as asked, or none can show it."""
        return self.got >= self.of

    @property
    def none(self) -> bool:
        """Whether the variant took no effect at all. Gradients do not show that: outputs do."""
        return self.counted is not Counted.GRADIENTS and not self.got and self.of > 0

    @property
    def words(self) -> str:
        """`14 of 15 gradients as nhwc`, `39 of 40 computing layers in bfloat16`."""
        preposition = "in" if self.counted is Counted.COMPUTING else "as"
        return f"{self.got or 'none'} of {self.of} {self.counted} {preposition} {self.asked}"


def shares(variant: Variant, layers: Iterable[Facts]) -> list[Share]:
    """What the layers show of the variant's precision and memory format.

    The default format asks nothing: it is torch's own, and the model may do with it what it wants.
    """
    rows, asked = list(layers), variant.memory_format
    effects = [_type_share(PRECISION.value(variant.precision).computed_in, rows)]
    if asked != MEMORY_FORMAT.default:
        images = [row for row in rows if row["type"].startswith(IMAGE_LAYERS)]
        outputs, gradients = ([row[name] for row in images] for name in ("memory_format", "gradient_format"))
        effects += [format_share(Counted.OUTPUTS, asked, outputs), format_share(Counted.GRADIENTS, asked, gradients)]
    return effects


def _type_share(asked: str, rows: list[Facts]) -> Share:
    types = [row["dtype"] for row in rows if row["dtype"] and row["type"].startswith(COMPUTING_LAYERS)]
    return Share(counted=Counted.COMPUTING, asked=asked, got=types.count(asked), of=len(types))


def format_share(counted: Counted, asked: str, formats: Iterable[str]) -> Share:
    """How many of these formats are the requested one; formats that fit both, or of no image, are left out."""
    distinct = [each for each in formats if each not in (EITHER, "")]
    return Share(counted=counted, asked=asked, got=distinct.count(asked), of=len(distinct))
