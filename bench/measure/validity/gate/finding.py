"""What a comparison finds: how far a result is off, how far rounding may move it, and the words for both."""

import math
from dataclasses import dataclass

import torch

from bench.measure.validity.borders import Border

MULTIPLE = 4.0
"""A result may be off by this many yardsticks."""
FACTOR_SHARE = 0.25
"""A factor may take this share of that: rounding errors cancel over the elements of a result, a factor does not."""
MOST_WIDENED = 128.0
"""Plain eager code may be off by this many times what a grain moves the numbers; a larger error is no rounding.

In float32 such a yardstick is 2^-10 of a result, so that the result may be off by 2^-8.
"""

Key = tuple[str, Border | str]
"""What is compared: `value` or `gradient` at a border, or `parameter` with a parameter's name for its gradient."""


@dataclass(frozen=True, slots=True)
class Miss:
    """How far a result is from the reference, in norms."""

    distance: float
    size: float
    """The reference's own norm."""
    along: float
    """The part of the distance along the reference; all of it if the result is the reference times a factor."""
    elements: int

    @classmethod
    def of(cls, result: torch.Tensor, exact: torch.Tensor, scale: float = 1.0) -> "Miss":
        """How far a result, divided by a scale, is from an exact tensor of float32 on the CPU."""
        # Divided in float32, which holds what is small in float16.
        difference = (result.detach().to("cpu", torch.float32) / scale).sub_(exact)
        size = float(torch.linalg.vector_norm(exact, dtype=torch.float64))
        along = abs(float((difference * exact).sum(dtype=torch.float64))) / size if size else 0.0
        distance = float(torch.linalg.vector_norm(difference, dtype=torch.float64))
        return cls(distance, size, along, exact.numel())


@dataclass(frozen=True, slots=True)
class Yardstick:
    """How far rounding moves a result, in all and along the reference, in norms."""

    distance: float
    along: float

    @classmethod
    def of(cls, least: float, misses: list[Miss]) -> "Yardstick":
        """The largest of several misses, and at least a share `least` of the reference's size."""
        return cls(max(least * misses[0].size, *(m.distance for m in misses)), max(m.along for m in misses))

    def widened(self, misses: list[Miss]) -> "Yardstick":
        """Itself, or the largest of several misses if that is larger, up to MOST_WIDENED times itself."""
        most = MOST_WIDENED * self.distance
        distance = min(most, max((m.distance for m in misses), default=0.0))
        along = min(FACTOR_SHARE * most, max((m.along for m in misses), default=0.0))
        return Yardstick(max(self.distance, distance), max(self.along, along))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result that is off by the largest share of its bound."""

    what: str
    """The result, in words."""
    many: bool = False
    """Whether `what` is a plural, for the sentence that is made of it."""
    error: float
    """Relative to the result's size."""
    bound: float
    """The largest error that rounding explains, relative to the result's size."""
    by_a_factor: bool
    """Whether the error is that of a factor, which has a narrower bound."""

    @property
    def share(self) -> float:
        """The error over its bound; above 1 the result is wrong. Infinite if the error is no number."""
        if self.error == 0:
            return 0.0
        return self.error / self.bound if self.bound and not math.isnan(self.error) else math.inf

    @property
    def sentence(self) -> str:
        """How the result is off."""
        be, differ = ("are", "differ") if self.many else ("is", "differs")
        how = f"{be} off by a factor, by" if self.by_a_factor else f"{differ} from float64 by"
        return f"{self.what} {how} {self.error:.1e} of its size; rounding explains {self.bound:.1e}"


NOTHING = Finding(what="", error=0.0, bound=math.inf, by_a_factor=False)
"""The finding if nothing was compared."""


def worst(misses: dict[Key, Miss], yardsticks: dict[Key, Yardstick]) -> tuple[Finding, Finding]:
    """The worst of the values, and the worst of the gradients of borders and parameters."""
    values, gradients = list[Finding](), list[Finding]()
    for key, miss in misses.items():
        if key in yardsticks:
            (values if key[0] == "value" else gradients).append(finding(key, miss, yardsticks[key]))
    by_share = (max(findings, key=lambda f: f.share, default=NOTHING) for findings in (values, gradients))
    return tuple(by_share)  # type: ignore[return-value]


def finding(key: Key, miss: Miss, yardstick: Yardstick) -> Finding:
    """A miss and its bound, relative to the reference's size, or to the yardstick if that is larger."""
    size = max(miss.size, yardstick.distance)
    if not size:  # it should be exactly 0
        error = math.inf if miss.distance else 0.0
        return Finding(what=words(key), many=is_plural(key), error=error, bound=0.0, by_a_factor=False)
    share = max(FACTOR_SHARE, 1 / math.sqrt(miss.elements))
    in_all_and_along = [
        Finding(
            what=words(key),
            many=is_plural(key),
            error=error / size,
            bound=MULTIPLE * limit / size,
            by_a_factor=by_a_factor,
        )
        for error, limit, by_a_factor in (
            (miss.distance, yardstick.distance, False),
            (miss.along, max(share * yardstick.distance, yardstick.along), True),
        )
    ]
    return max(in_all_and_along, key=lambda f: f.share)


def is_plural(key: Key) -> bool:
    """Whether `words` gives a plural."""
    kind, place = key
    return isinstance(place, str) or (kind == "value" and not place.path)


def words(key: Key) -> str:
    """What was compared, in words."""
    kind, place = key
    if isinstance(place, str):
        return f"gradients of {place}"
    side = "the scores" if not place.path else f"the {place.side} of {place.path}"
    return side if kind == "value" else f"the gradient of {side}"
