"""The word for a ratio, by its interval, and how small a change it would have shown."""

import math
from dataclasses import dataclass

from bench.analyse.stats import LEAST_ROUNDS, Interval

FASTER, SLOWER, SAME = "FASTER", "SLOWER", "SAME"
MORE_FAULTS, FEWER_FAULTS = "MORE FAULTS", "FEWER FAULTS"
UNDECIDED, NOISY, INVALID = "UNDECIDED", "UNDECIDED (noisy)", "INVALID"

DELTA_CPU = 0.03
DELTA_CUDA = 0.02
FEW_ROUNDS = 9
"""The report warns of fewer: at 9, 85 % of runs still show a change of 10 %, under any noise that was simulated."""
NORMAL_95, NORMAL_80 = 1.960, 0.842
"""Quantiles of the normal distribution: 97.5 % (an interval's end) and 80 % (power)."""


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
    """The relative change that four of five runs like this one would have shown: delta and 1.43 half-widths.

    If the change is delta and one half-width, the interval's near end falls on delta in the median run, so every other
    run would miss it. With 0.84 standard errors more, 80 % of runs show it.
    """
    half_width = (math.log(ratio.hi) - math.log(ratio.lo)) / 2
    return delta + half_width * (1 + NORMAL_80 / NORMAL_95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One variant compared with itself: A with A', which are identical code."""

    variant_id: str
    device: str
    ratio: Interval
    """How many times as fast A' is as A: the seconds of A over those of A'."""
    rounds: int

    @property
    def noisy(self) -> bool:
        """Whether identical code came out different: then no verdict of this device can be trusted."""
        return verdict(self.ratio, self.rounds, delta_of(self.device)) in (FASTER, SLOWER)
