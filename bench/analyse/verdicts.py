"""The word for a ratio, by its interval, and how small a change it would have shown."""

import math
from dataclasses import dataclass

from scipy import stats

from bench.analyse.stats import LEAST_ROUNDS, Interval
from bench.core.axes.kind import kind_of

FASTER, SLOWER, SAME = "FASTER", "SLOWER", "SAME"
MORE_FAULTS, FEWER_FAULTS = "MORE FAULTS", "FEWER FAULTS"
UNDECIDED, NOISY, INVALID = "UNDECIDED", "UNDECIDED (noisy)", "INVALID"

DELTA_CPU = 0.03
DELTA_GPU = 0.02
FEW_ROUNDS = 9
"""The report warns of fewer: at 9, 85 % of runs still show a change of 10 %, under any noise that was simulated."""
ONCE = 0.025
"""The error at each end of an interval of 95 %."""
NORMAL_80 = 0.842
"""The quantile of the normal distribution for a power of 80 %."""

MOST_SHRINKAGE = 2.0
"""How many times narrower an interval may have to become before the rounds still needed are called unknown."""


def delta_of(device: str, declared: float | None = None) -> float:
    """The change that matters, fixed beforehand: the call's `--delta`, else 3 % on a CPU and 2 % on a GPU."""
    if declared is not None:
        return declared
    return DELTA_GPU if kind_of(device).accelerates else DELTA_CPU


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


def smallest_seen(ratio: Interval, delta: float, error: float = ONCE) -> float:
    """The relative change that four of five runs like this one would have shown: delta and about 1.4 half-widths.

    If the change is delta and one half-width, the interval's near end falls on delta in the median run, so every other
    run would miss it. With 0.84 standard errors more, 80 % of runs show it. `error` is that of each end.
    """
    half_width = (math.log(ratio.hi) - math.log(ratio.lo)) / 2
    return delta + half_width * (1 + NORMAL_80 / float(stats.norm.isf(error)))


def more_rounds(ratio: Interval, rounds: int, delta: float) -> int | None:
    """How many more rounds decide an UNDECIDED ratio in about half of all runs; None if that can't be known.

    Assumes that the estimate stays, and that each half of the interval shrinks with the square root of the rounds.
    None without an interval, and if four times the rounds would not do: the estimate then lies so close to delta, by
    half a half-width, that it may as well be on the other side.
    """
    if not ratio.known:
        return None
    estimate, lo, hi, margin = (*(math.log(value) for value in (ratio.estimate, ratio.lo, ratio.hi)), math.log1p(delta))
    below, above = estimate - lo, hi - estimate
    ends = {
        FASTER: [(below, estimate - margin)],
        SLOWER: [(above, -margin - estimate)],
        SAME: [(above, margin - estimate), (below, margin + estimate)],
    }
    # Of the three words one at most has room on each of its sides: the one in whose range the estimate lies.
    shrinkage = [max(half / room for half, room in sides) for sides in ends.values() if all(r > 0 for _, r in sides)]
    if not shrinkage or shrinkage[0] >= MOST_SHRINKAGE:
        return None
    return max(1, math.ceil(rounds * shrinkage[0] ** 2) - rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One variant compared with itself: A with A', which are identical code."""

    variant_id: str
    device: str
    ratio: Interval
    """How many times as fast A' is as A: the seconds of A over those of A'."""
    rounds: int
    delta: float
    """The change that matters on the device."""

    @property
    def noisy(self) -> bool:
        """Whether identical code came out different: then no verdict of this device can be trusted."""
        return verdict(self.ratio, self.rounds, self.delta) in (FASTER, SLOWER)
