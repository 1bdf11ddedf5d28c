"""Intervals over trials. There is one value a round: samples of several trials are never pooled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
SHIFTS_AT_ONCE = 30
"""Shifts that are tried in one go; halving would take more turns."""
LEAST_ROUNDS = 6
"""With fewer, no order statistics hold the median with 95 %: 1 - 2 / 2**5 is 93.75 %."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and its interval of 95 %; NaN if there are too few rounds."""

    estimate: float
    lo: float
    hi: float

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return not (math.isnan(self.lo) or math.isnan(self.hi))


NOTHING = Interval(estimate=math.nan, lo=math.nan, hi=math.nan)


def inverse(ratio: Interval) -> Interval:
    """One over a ratio."""
    return Interval(estimate=1 / ratio.estimate, lo=1 / ratio.hi, hi=1 / ratio.lo)


def as_ratio(shift: Interval) -> Interval:
    """How many times as fast, from the shift of the log of seconds: the reference's seconds over the variant's."""
    return Interval(
        estimate=float(np.exp(-shift.estimate)),
        lo=float(np.exp(-shift.hi)),
        hi=float(np.exp(-shift.lo)),
    )


@lru_cache
def median_rank(n: int) -> int:
    """The 1-based rank r such that the r-th smallest and r-th largest of n hold the median with 95 %.

    0 if no rank does (n < 6). From the sign test: P(fewer than r of n below the median) <= 2.5 %.
    """
    return int(stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)) if n >= LEAST_ROUNDS else 0


def median_interval(values: ArrayLike) -> Interval:
    """The median of independent values and its exact distribution-free interval."""
    ordered: Values = np.sort(np.asarray(values, dtype=np.float64))
    ordered = ordered[~np.isnan(ordered)]
    if not len(ordered):
        return NOTHING
    rank, estimate = median_rank(len(ordered)), float(np.median(ordered))
    if not rank:
        return Interval(estimate=estimate, lo=math.nan, hi=math.nan)
    return Interval(estimate=estimate, lo=float(ordered[rank - 1]), hi=float(ordered[-rank]))


def shift_interval(variant: ArrayLike, controls: ArrayLike) -> Interval:
    """By how much `variant` lies above `controls`, with its interval of 95 %.

    `variant` has one value a round (n,), `controls` one or more (n, k), the same rounds in the same order. Values
    are logarithms, so the shift is the log of a ratio. Inverts Hodges and Lehmann's aligned-rank test (1962): under
    a shift theta, round r's values less their median are exchangeable, so the variant's rank among all is any of its
    round's with equal chance. Bounds are NaN if even an endless shift would not be rejected, or if there are fewer
    than 6 rounds (7 with one control, since the normal approximation rejects 6.25 % at 6).
    Raises ValueError if the shapes don't fit or a value is not finite.
    """
    v: Values = np.asarray(variant, dtype=np.float64)
    c: Values = np.asarray(controls, dtype=np.float64)
    if v.ndim != 1 or c.ndim != 2 or len(v) != len(c) or not c.shape[1]:
        msg = f"needs values of shape (n,) and controls of shape (n, k), got {v.shape} and {c.shape}"
        raise ValueError(msg)
    if not (np.isfinite(v).all() and np.isfinite(c).all()):
        msg = "values must be finite"
        raise ValueError(msg)
    if not len(v):
        return NOTHING
    differences = v[:, None] - c
    low, high = float(differences.min()) - 1, float(differences.max()) + 1
    at_zero = (_cross(v, c, 0.0, low, high) - _cross(-v, -c, 0.0, -high, -low)) / 2
    critical = float(stats.norm.ppf((1 + LEVEL) / 2))
    enough = len(v) >= (LEAST_ROUNDS if c.shape[1] > 1 else LEAST_ROUNDS + 1)
    if not (enough and z_of_shift(v, c, low) > critical and z_of_shift(v, c, high) < -critical):
        return Interval(estimate=at_zero, lo=math.nan, hi=math.nan)
    return Interval(
        estimate=at_zero,
        lo=_cross(v, c, critical, low, high),
        hi=-_cross(-v, -c, critical, -high, -low),
    )


def exact_interval(variant: ArrayLike, controls: ArrayLike, error: float) -> Interval:
    """By how much `variant` lies above `controls`; each end errs with a chance of at most `error`.

    Shapes as for `shift_interval`, but the chance is exact: an end is the first shift that `p_above` and `p_by_signs`
    do not both reject at `error`, to 1e-6. So the interval's level is at least 1 - 2 * error, however few the rounds,
    and it holds also if one arm varies more than the others. (If arms tie, p may waver near an end; the end is then one
    of those shifts.) NaN bounds if even an endless shift would not be rejected: 2 ** -n is above `error`.
    Raises ValueError for shapes that don't fit or values that are not finite.
    """
    estimate = shift_interval(variant, controls).estimate
    v, c = np.asarray(variant, dtype=np.float64), np.asarray(controls, dtype=np.float64)
    if math.isnan(estimate):
        return NOTHING
    differences = v[:, None] - c
    lo = _exact_end(v, c, error, float(differences.min()) - 1, estimate)
    hi = -_exact_end(-v, -c, error, -float(differences.max()) - 1, -estimate)
    return Interval(estimate=estimate, lo=lo, hi=hi) if lo <= hi else replace(NOTHING, estimate=estimate)


def least_rounds(error: float) -> int:
    """The fewest rounds of which `exact_interval` has bounds."""
    return math.ceil(-math.log2(error))


def z_of_shift(variant: Values, controls: Values, shift: float | Values) -> Values:
    """How many standard deviations the variant's aligned rank sum lies above what `shift` explains.

    Shapes (..., n) and (..., n, k); `shift` must broadcast to (..., n). Returns one z for each of the leading axes,
    0 if all values tie.
    """
    ranks = aligned_ranks(variant, controls, shift)
    above = ranks[..., 0].sum(axis=-1) - ranks.mean(axis=-1).sum(axis=-1)
    deviation = np.sqrt(ranks.var(axis=-1).sum(axis=-1))
    return np.divide(above, deviation, out=np.zeros_like(above), where=deviation > 0)  # type: ignore[no-any-return]


def p_above(variant: ArrayLike, controls: ArrayLike, shift: float) -> float:
    """The chance of an aligned rank sum as high as the variant's, or higher, if the true shift were `shift`.

    One-sided and exact, by convolution over rounds: under the null each round's ranks are the variant's with
    equal chance. Shapes (n,) and (n, k).
    """
    ranks = aligned_ranks(np.asarray(variant, dtype=np.float64), np.asarray(controls, dtype=np.float64), shift)
    doubled = np.rint(2 * ranks).astype(np.int64)  # mid-ranks are halves
    over_least = doubled - doubled.min(axis=1, keepdims=True)
    distribution: Values = np.zeros(over_least.max(axis=1).sum() + 1)
    distribution[0] = 1.0
    end = 1
    for of_round in over_least.tolist():
        before, end = distribution[:end] / len(of_round), end + max(of_round)
        distribution[:end] = 0.0
        for rank in of_round:
            distribution[rank : rank + len(before)] += before
    return float(distribution[over_least[:, 0].sum() :].sum())


def p_by_signs(variant: ArrayLike, controls: ArrayLike, shift: float) -> float:
    """As `p_above`, if the variant's trials may vary more than the controls', but as much upwards as downwards.

    Each round's deviation of the variant's rank from the round's mean rank is then as likely the other way. One-sided,
    exact over all signs by convolution; it is at least 2 ** -n. Skewed noise breaks its assumption, uneven noise
    breaks that of `p_above`: what both reject, neither explains.
    """
    ranks = aligned_ranks(np.asarray(variant, dtype=np.float64), np.asarray(controls, dtype=np.float64), shift)
    deviations = ranks[:, 0] - ranks.mean(axis=1)
    steps = np.rint(2 * ranks.shape[1] * deviations).astype(np.int64)  # mid-ranks are halves, means are thirds of them
    distribution: Values = np.ones(1)
    for step in np.abs(steps).tolist():
        up_or_down: Values = np.zeros(len(distribution) + step)
        up_or_down[: len(distribution)] += distribution / 2
        up_or_down[step:] += distribution / 2
        distribution = up_or_down
    return float(distribution[np.maximum(steps, 0).sum() :].sum())


def p_of_shift(variant: ArrayLike, controls: ArrayLike, shift: float) -> float:
    """The larger of both one-sided chances that the variant lies as high as this, or higher, by `shift` alone."""
    return max(p_above(variant, controls, shift), p_by_signs(variant, controls, shift))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values (1979), in the order given: reject those that are at most the family's level."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = least
    return adjusted


def aligned_ranks(variant: Values, controls: Values, shift: float | Values) -> Values:
    """Mid-ranks among the values of all rounds, each less its round's median, shape (..., n, 1 + k).

    Column 0 is the variant's, less `shift`.
    """
    shifted = (variant - shift)[..., None]
    rounds = np.concatenate((shifted, np.broadcast_to(controls, (*shifted.shape[:-1], controls.shape[-1]))), axis=-1)
    aligned = rounds - np.median(rounds, axis=-1, keepdims=True)
    # Equal values must tie, whatever the last bit of their subtraction.
    flat = np.round(aligned, 12).reshape(*rounds.shape[:-2], -1)
    return np.asarray(stats.rankdata(flat, axis=-1).reshape(rounds.shape))


def _cross(variant: Values, controls: Values, level: float, low: float, high: float) -> float:
    """The first shift between `low` and `high` at which z falls to `level`, to 1e-7, by narrowing the bracket.

    The rank sum falls as the shift grows. Its deviation, and so z, may waver a little if three arms tie.
    """
    while high - low > 1e-7:
        shifts = np.linspace(low, high, SHIFTS_AT_ONCE + 2)
        above = z_of_shift(variant, controls, shifts[1:-1, None]) > level
        first = SHIFTS_AT_ONCE if above.all() else int(np.argmin(above))
        low, high = float(shifts[first]), float(shifts[first + 1])
    return high


def _exact_end(variant: Values, controls: Values, error: float, low: float, high: float) -> float:
    """The shift between `low` and `high` from which on the exact p is above `error`, to 1e-6; NaN if it is at `low`."""
    if p_of_shift(variant, controls, low) > error:
        return math.nan
    while high - low > 1e-6:
        middle = (low + high) / 2
        if p_of_shift(variant, controls, middle) > error:
            high = middle
        else:
            low = middle
    return low
