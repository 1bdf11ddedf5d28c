"""Estimates of several nodes combined: their mean, and how far nodes differ beyond the noise within each.

A node is a block: its rounds tell how well its own value is known, and say nothing of other nodes. So an interval over
nodes rests on the number of nodes, however many rounds each has.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from bench.analyse.stats import LEVEL, NOTHING, Interval, Values

LEAST_BLOCKS = 3
"""With two, Student's t has one degree of freedom: an interval of 13 standard errors to either side says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Values of several blocks, as logarithms."""

    blocks: int
    mean: Interval
    between: Interval
    """The standard deviation between blocks beyond what the noise within them explains; NaN if it is not known."""
    within: float
    """The standard error of a block's value that its own rounds give, the root of the mean square; NaN without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """The noise within blocks: one variance for all of them, from the rounds of each about their own mean."""

    variances: Values
    """Of each block's value."""
    freedom: float
    """The degrees of freedom of that one variance."""


def within(blocks: Sequence[Sequence[Values]]) -> Within:
    """The noise of blocks that each have some runs, a run being its values by round.

    A block's value is the mean of its runs' means. The variance of a round is pooled over all runs, since that of a
    single run with few rounds is hardly known. NaN if no run has two rounds.
    """
    runs = [run for block in blocks for run in block]
    freedom = sum(len(run) - 1 for run in runs)
    squares = sum(float(((run - run.mean()) ** 2).sum()) for run in runs)
    variance = squares / freedom if freedom else math.nan
    return Within(
        variances=np.array([variance * sum(1 / len(run) for run in block) / len(block) ** 2 for block in blocks]),
        freedom=freedom,
    )


def combined(estimates: Sequence[float], noise: Within) -> Combined:
    """The blocks' mean with its interval of 95 %, and the standard deviation between them with its own.

    The model is that of random effects: a block's value is the mean, plus the block's own deviation, plus noise of a
    known variance. The variance between blocks is that of Paule and Mandel (1982), its interval the Q-profile of
    Viechtbauer (2007), with F in place of chi squared because the noise is estimated (exact if blocks have equally
    many rounds: Wald, 1940). The mean has the interval of Hartung and Knapp (2001) with Student's t of one degree of
    freedom less than blocks, never narrower than without differences between blocks (Röver et al., 2015).
    Bounds are NaN under LEAST_BLOCKS. If the noise is not known, `between` is NaN, and the mean has the interval of t.
    """
    values: Values = np.asarray(estimates, dtype=np.float64)
    if not len(values):
        return Combined(blocks=0, mean=NOTHING, between=NOTHING, within=math.nan)
    known = bool(np.isfinite(noise.variances).all()) and noise.freedom > 0
    error = float(np.sqrt(noise.variances.mean())) if known else math.nan
    if len(values) < 2:
        alone = Interval(estimate=float(values[0]), lo=math.nan, hi=math.nan)
        return Combined(blocks=1, mean=alone, between=NOTHING, within=error)
    if not known:
        mean = bounded(mean_of(values, np.zeros_like(values), None), len(values))
        return Combined(blocks=len(values), mean=mean, between=NOTHING, within=math.nan)
    between = between_of(values, noise)
    return Combined(
        blocks=len(values),
        mean=bounded(mean_of(values, noise.variances, between.estimate**2), len(values)),
        between=bounded(between, len(values)),
        within=error,
    )


def bounded(interval: Interval, blocks: int) -> Interval:
    """The interval, without its bounds if it rests on too few blocks."""
    return interval if blocks >= LEAST_BLOCKS else replace(NOTHING, estimate=interval.estimate)


def between_of(values: Values, noise: Within) -> Interval:
    """The standard deviation between blocks with its interval."""
    free = len(values) - 1

    def excess(target: float) -> Callable[[float], float]:
        return lambda variance: heterogeneity(values, noise.variances + variance) - target

    ends = [quantile(chance, free, noise.freedom) for chance in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)]
    estimate, lo, hi = (math.sqrt(root_of(excess(target), values)) for target in (free, *ends))
    return Interval(estimate=estimate, lo=lo, hi=hi)


def quantile(chance: float, free: int, freedom: float) -> float:
    """The quantile of the heterogeneity if the variance between blocks is as assumed."""
    if math.isinf(freedom):
        return float(stats.chi2.ppf(chance, free))
    return free * float(stats.f.ppf(chance, free, freedom))


def heterogeneity(values: Values, variances: Values) -> float:
    """Cochran's Q: the weighted squares of the values about their weighted mean."""
    if not variances.all():  # without any noise, blocks that differ at all are infinitely far apart
        return math.inf if np.ptp(values) > 0 else 0.0
    weights = 1 / variances
    mean = float((weights * values).sum() / weights.sum())
    return float((weights * (values - mean) ** 2).sum())


def root_of(excess: Callable[[float], float], values: Values) -> float:
    """Where a falling function of a variance crosses 0; 0 if it is below from the beginning."""
    if excess(0.0) <= 0:
        return 0.0
    high = float(values.var()) or 1.0
    while excess(high) > 0:
        high *= 4
    low = 0.0 if math.isfinite(excess(0.0)) else high * 1e-12
    return float(optimize.brentq(excess, low, high, xtol=1e-18, rtol=1e-12))


def mean_of(values: Values, variances: Values, between: float | None) -> Interval:
    """The weighted mean with the interval of Hartung and Knapp; without noise that is that of Student's t."""
    whole = variances + (between or 0.0)
    weights = 1 / whole if between is not None and whole.all() else np.ones_like(values)
    mean, free = float((weights * values).sum() / weights.sum()), len(values) - 1
    scale = float((weights * (values - mean) ** 2).sum()) / free
    if between is not None and whole.all():
        scale = max(1.0, scale)
    half = float(stats.t.ppf((1 + LEVEL) / 2, free)) * math.sqrt(scale / float(weights.sum()))
    return Interval(estimate=mean, lo=mean - half, hi=mean + half)
