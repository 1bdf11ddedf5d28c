"""How far a variant took effect: of what it asks of the layers, how many did so. No torch and no pandas here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.core.axes.memory_format import MEMORY_FORMAT
from bench.core.axes.precision import PRECISION
from bench.core.variants import Variant

IMAGE_LAYERS = ("Conv", "BatchNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "ReLU")
"""Leaves whose output must keep the format; others, such as a LayerNorm over channels, may permute."""
COMPUTING_LAYERS = ("Conv", "Linear")
"""Leaves that compute in the type that was asked for; under autocast others choose theirs."""
EITHER = "both"
"""The format of a shape that lies the same way in both, which tells nothing."""
WEIGHTS_GOT, WEIGHTS_OF = "weights_as_asked", "weights_that_tell"
"""The metrics of a trial that tell of its parameters: layers.csv tells of outputs."""

Facts = Mapping[str, Any]
"""What a layer is and gave: a row of layers.csv."""


class What(StrEnum):
    """What is counted."""

    COMPUTING = "computing layers"
    OUTPUTS = "image layers' outputs"
    GRADIENTS = "gradients"
    WEIGHTS = "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of so many things that tell, how many are as the variant asks."""

    what: What
    asked: str
    """nchw, nhwc, or the name of a type."""
    got: int
    of: int

    @property
    def whole(self) -> bool:
        """Whether all are as asked, or nothing tells."""
        return self.got >= self.of

    @property
    def none(self) -> bool:
        """Whether the variant did not take effect at all. Gradients alone do not show that: the outputs do."""
        return self.what is not What.GRADIENTS and not self.got and self.of > 0

    @property
    def words(self) -> str:
        """`14 of 15 gradients as nhwc`, `39 of 40 computing layers in bfloat16`."""
        preposition = "in" if self.what is What.COMPUTING else "as"
        return f"{self.got or 'none'} of {self.of} {self.what} {preposition} {self.asked}"


def shares(variant: Variant, layers: Iterable[Facts]) -> list[Share]:
    """What the layers show of the variant's precision and of its memory format.

    Nothing is asked of the default format: it is torch unasked, whatever a model makes of it.
    """
    rows, asked = list(layers), variant.memory_format
    found = [_computing(PRECISION.value(variant.precision).computed_in, rows)]
    if asked != MEMORY_FORMAT.default:
        images = [row for row in rows if row["type"].startswith(IMAGE_LAYERS)]
        outputs, gradients = ([row[name] for row in images] for name in ("memory_format", "gradient_format"))
        found += [lying(What.OUTPUTS, asked, outputs), lying(What.GRADIENTS, asked, gradients)]
    return found


def _computing(asked: str, rows: list[Facts]) -> Share:
    types = [row["dtype"] for row in rows if row["dtype"] and row["type"].startswith(COMPUTING_LAYERS)]
    return Share(what=What.COMPUTING, asked=asked, got=types.count(asked), of=len(types))


def lying(what: What, asked: str, formats: Iterable[str]) -> Share:
    """How many of these formats are the one asked for; those that fit either, and those of no image, are left out."""
    telling = [found for found in formats if found not in (EITHER, "")]
    return Share(what=what, asked=asked, got=telling.count(asked), of=len(telling))
