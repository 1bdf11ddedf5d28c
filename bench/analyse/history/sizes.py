"""How large a change of level is, and whether what looks like one may be something else."""

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from scipy import stats

from bench.analyse.stats import LEVEL, NOTHING, Interval, Values

DEPENDENT = 0.01
"""The p at which values count as dependent or drifting."""
LEAST_DEPENDENT = 10
"""With fewer values neither is looked for."""


def shift(before: Values, after: Values) -> Interval:
    """By how much `after` lies above `before`, with its interval of 95 %: Hodges and Lehmann's, of two samples.

    The median of all differences; the bounds invert the test of Mann and Whitney by its normal approximation
    (Hollander and Wolfe, 1999, section 4.3). NaN bounds if a side has too few values for any.
    """
    if not (len(before) and len(after)):
        return NOTHING
    differences = np.sort((after[None, :] - before[:, None]).ravel())
    pairs = len(differences)
    deviation = math.sqrt(pairs * (len(before) + len(after) + 1) / 12)
    rank = math.floor(pairs / 2 - float(stats.norm.ppf((1 + LEVEL) / 2)) * deviation)
    estimate = float(np.median(differences))
    if rank < 1:
        return Interval(estimate=estimate, lo=math.nan, hi=math.nan)
    return Interval(estimate=estimate, lo=float(differences[rank - 1]), hi=float(differences[-rank]))


def is_gradual(parts: Sequence[Values], place: int) -> bool:
    """Whether a line fits better than steps do, over some neighbouring parts that hold the step after part `place`.

    By the sum of absolute deviations; the line is that of Theil and Sen.
    """
    stretches = product(range(place + 1), range(place + 2, len(parts) + 1))
    return any(_is_line(parts[first:last]) for first, last in stretches)


def _is_line(parts: Sequence[Values]) -> bool:
    """Whether one line through some neighbouring parts fits better than a level for each."""
    whole = np.concatenate(parts)
    places = np.arange(len(whole), dtype=np.float64)
    rest = whole - float(stats.theilslopes(whole, places)[0]) * places
    steps = sum(float(np.abs(part - np.median(part)).sum()) for part in parts)
    return float(np.abs(rest - np.median(rest)).sum()) < steps


def is_unsteady(parts: Sequence[Values]) -> bool:
    """Whether the values between changes drift, or resemble their neighbours: then no p of theirs holds."""
    return is_drifting(parts) or is_dependent(np.concatenate([part - np.median(part) for part in parts]))


def is_drifting(parts: Sequence[Values]) -> bool:
    """Whether values rise, or fall, within all parts together: the trend test of Mann (1945) and Kendall, summed.

    Two-sided; by the normal approximation.
    """
    if sum(map(len, parts)) < LEAST_DEPENDENT:
        return False
    rises = sum(float(np.sign(later - earlier)) for part in parts for earlier, later in combinations(part.tolist(), 2))
    variance = sum(n * (n - 1) * (2 * n + 5) / 18 for n in map(len, parts))
    return variance > 0 and 2 * float(stats.norm.sf(abs(rises) / math.sqrt(variance))) <= DEPENDENT


def is_dependent(residuals: Values) -> bool:
    """Whether neighbouring values resemble each other more than chance gives: Bartels' rank test (1982), one-sided."""
    n = len(residuals)
    if n < LEAST_DEPENDENT or not np.ptp(residuals):
        return False
    ranks = np.asarray(stats.rankdata(np.round(residuals, 12)))
    ratio = float((np.diff(ranks) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum())
    variance = 4 * (n - 2) * (5 * n**2 - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2)
    return float(stats.norm.cdf((ratio - 2) / math.sqrt(variance))) <= DEPENDENT


def scatter(values: Values) -> float:
    """The standard deviation of single values, from the differences of neighbours: a change of level adds little.

    From the median of absolute differences, which few outliers move. NaN of fewer than three values.
    """
    if len(values) < 3:
        return math.nan
    return float(np.median(np.abs(np.diff(values))) / (math.sqrt(2) * stats.norm.ppf(0.75)))
