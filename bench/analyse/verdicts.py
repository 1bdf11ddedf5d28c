"""What a ratio's interval lets one say, and what it does not."""

import math
from dataclasses import dataclass

from bench.analyse.stats import LEAST_ROUNDS, Interval

FASTER, SLOWER, SAME = "FASTER", "SLOWER", "SAME"
UNDECIDED, NOISY, INVALID = "UNDECIDED", "UNDECIDED (noisy)", "INVALID"

DELTA_CPU = 0.03
DELTA_CUDA = 0.02
FEW_ROUNDS = 9
"""Below, the report warns: power against a change of 10 % is under 85 %."""


def delta_of(device: str) -> float:
    """The change that matters, declared beforehand: 3 % on a CPU, 2 % on a GPU."""
    return DELTA_CUDA if device.startswith("cuda") else DELTA_CPU


def verdict(ratio: Interval, rounds: int, delta: float) -> str:
    """The word for a ratio, baseline's seconds over the variant's.

    | the whole interval lies | word |
    | --- | --- |
    | above 1 + delta | FASTER |
    | below 1 / (1 + delta) | SLOWER |
    | between them | SAME |
    | elsewhere, or there is none, or under 6 rounds | UNDECIDED |
    """
    if rounds < LEAST_ROUNDS or not ratio.known:
        return UNDECIDED
    lower, upper = 1 / (1 + delta), 1 + delta
    if ratio.lo > upper:
        return FASTER
    if ratio.hi < lower:
        return SLOWER
    if lower < ratio.lo and ratio.hi < upper:
        return SAME
    return UNDECIDED


def smallest_seen(ratio: Interval, delta: float) -> float:
    """The smallest relative change that this interval would have shown: delta and its half-width."""
    return delta + (math.log(ratio.hi) - math.log(ratio.lo)) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A against A' on one device, batch and model: identical code, held against itself."""

    variant_id: str
    device: str
    ratio: Interval
    rounds: int

    @property
    def noisy(self) -> bool:
        """Whether identical code came out different, so that no verdict of this device can be trusted."""
        return verdict(self.ratio, self.rounds, delta_of(self.device)) in (FASTER, SLOWER)
