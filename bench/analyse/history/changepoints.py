"""Where the level of a series changes, with a known chance of a false mark.

Two scans of ranks look at a stretch of values. One asks if it falls into two parts of different level (Pettitt, 1979,
standardised), the other if some part in the middle differs from the rest (circular binary segmentation of Olshen,
Venkatraman, Lucito and Wigler, 2004). If nothing changed and the values are exchangeable, every order of the ranks is
equally likely, whatever the noise: so shuffles give the chance of a scan as high as this. If it is small, the stretch
is cut there and its parts are scanned again. A part of a share s of the series is tested at a share s of the error
(Meinshausen, 2008), so all parts in which nothing changed have a false mark with a chance of about `error` at most,
however many there are. A single value, however far off, has one rank, and marks nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bench.analyse.stats import Values

DRAWS = 9999
"""Shuffles that stand for all orders: a p of 5 % is then known to 0.4 points, one of 0.5 % to 0.14."""
DRAWS_OF_PLACES = 999
AT_ONCE = 2**21
"""The most values of shuffles that are held at once."""
OUTSIDE = 0.05
"""The chance at most that a change lies outside of its range."""
OUTSIDE_BY_PLACE, OUTSIDE_BY_SIDE = 0.03, 0.01
"""Its parts: that of the test which compares places, and that of the scan of either side."""
SCANS = 2
"""The scans of a stretch, each at half of its error."""
BOUND = 0.5
"""The most that one value says about the place of a change: as much as a value at its level says."""


class Scan(Enum):
    """A scan of a stretch."""

    TWO_PARTS = "two parts"
    MIDDLE = "the middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A change of level."""

    at: int
    """The index of the first value after the change."""
    earliest: int
    latest: int
    """The range of `at`: with 95 % the change lies in it, if there is no other between its neighbours."""
    p: float
    """The chance of a scan as high as this if nothing had changed between its neighbours, times the number of such
    stretches that the series holds."""


def marks(values: ArrayLike, error: float) -> list[Mark]:
    """The changes of level of a series (n,), in order; if nothing changes, there is any with a chance of `error`.

    Raises ValueError if the values are not one series of finite numbers.
    """
    series: Values = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or not np.isfinite(series).all():
        msg = f"needs one series of finite values, got the shape {series.shape}"
        raise ValueError(msg)
    places = _settled(series, sorted(_cuts(series, 0, len(series), error)))
    places = _kept(series, places, error)
    return [_mark(series, before, at, after) for before, at, after in _neighbours(places, len(series))]


def least_values(error: float) -> int:
    """The fewest values in which any change can be marked: of fewer, too few orders are as clear as the clearest."""
    # Either direction is as clear, and of an odd number of values either cut beside the middle.
    return next(n for n in range(2, 10_000) if 2 * (1 + n % 2) * SCANS / math.comb(n, n // 2) <= error)


def _cuts(series: Values, start: int, end: int, error: float) -> Iterator[int]:
    """Where a stretch of a series is cut, and its parts in turn."""
    stretch = series[start:end]
    places, p = _scanned(stretch) if len(stretch) > 1 else ([], 1.0)
    if p > error * len(stretch) / max(1, len(series)):
        return
    yield from (start + place for place in places)
    for first, last in pairwise([0, *places, len(stretch)]):
        yield from _cuts(series, start + first, start + last, error)


def _scanned(stretch: Values) -> tuple[list[int], float]:
    """The most likely cuts of a stretch, and the chance of such a scan, of both scans together, if nothing changed."""
    ranks = _ranks(stretch)
    p_parts = _p_of_two_parts(ranks)
    height, ends = _middle(ranks[None, :])
    p_middle = _p(float(height[0]), _heights(Scan.MIDDLE, *_key(ranks)))
    cuts = [1 + int(_two_parts(ranks).argmax())]
    if p_middle < p_parts:
        cuts = [int(end) for end in ends[0] if 0 < end < len(stretch)]
    return cuts, min(1.0, SCANS * min(p_parts, p_middle))


def _ranks(stretch: Values) -> Values:
    """Mid-ranks; what differs by the last bit of a subtraction ties."""
    return np.asarray(stats.rankdata(np.round(stretch, 12)), dtype=np.float64)


def _two_parts(ranks: Values) -> Values:
    """How far the first k ranks lie from what chance gives, in standard deviations: (..., n) and (..., n - 1)."""
    n = ranks.shape[-1]
    k = np.arange(1, n)
    deviation = np.sqrt(k * (n - k) * (n + 1) / 12)
    return np.asarray(np.abs(np.cumsum(ranks, axis=-1)[..., :-1] - k * (n + 1) / 2) / deviation)


def _middle(ranks: Values) -> tuple[Values, NDArray[np.intp]]:
    """How far the most different part of each row lies from what chance gives; and its ends, shape (rows, 2)."""
    rows, n = ranks.shape
    sums = np.zeros((rows, n + 1))
    np.cumsum(ranks - (n + 1) / 2, axis=1, out=sums[:, 1:])
    best, ends = np.zeros(rows), np.zeros((rows, 2), dtype=np.intp)
    for length in range(1, n):
        heights = np.abs(sums[:, length:] - sums[:, :-length]) / math.sqrt(length * (n - length) * (n + 1) / 12)
        first = heights.argmax(axis=1)
        height = heights[np.arange(rows), first]
        higher = height > best
        best[higher] = height[higher]
        ends[higher] = np.stack([first, first + length], axis=1)[higher]
    return best, ends


def _p_of_two_parts(ranks: Values, draws: int = DRAWS) -> float:
    """The chance of two parts as different as the most different ones, if nothing changes."""
    return _p(float(_two_parts(ranks).max()), _heights(Scan.TWO_PARTS, *_key(ranks), draws=draws))


def _key(ranks: Values) -> tuple[int, tuple[float, ...]]:
    """What decides the heights of shuffles: the number of ranks, and the ranks themselves if there are ties."""
    ordered = np.sort(ranks)
    return len(ranks), () if len(np.unique(ordered)) == len(ordered) else tuple(ordered.tolist())


@lru_cache(maxsize=4096)
def _heights(scan: Scan, n: int, tied: tuple[float, ...], *, draws: int = DRAWS) -> Values:
    """The heights of a scan over shuffles of n ranks, sorted. The shuffles are seeded: equal values, equal p."""
    rng, ranks = np.random.default_rng(0), np.asarray(tied or range(1, n + 1), dtype=np.float64)
    heights: list[Values] = []
    for start in range(0, draws, at_once := max(1, AT_ONCE // n)):
        rows = min(at_once, draws - start)
        shuffled = rng.permuted(np.broadcast_to(ranks, (rows, n)), axis=1)
        heights.append(_middle(shuffled)[0] if scan is Scan.MIDDLE else _two_parts(shuffled).max(axis=1))
    return np.sort(np.concatenate(heights))


def _p(height: float, chances: Values) -> float:
    """The share of shuffles as high as this, with the values themselves as one of them (Phipson and Smyth, 2010)."""
    as_high = len(chances) - int(np.searchsorted(chances, height - 1e-9))
    return (1 + as_high) / (1 + len(chances))


def _neighbours(places: Sequence[int], n: int) -> Iterator[tuple[int, int, int]]:
    """Each place between the one before it and the one after it, or the ends of the series."""
    yield from zip([0, *places], places, [*places[1:], n], strict=False)


def _settled(series: Values, places: list[int]) -> list[int]:
    """The places, each moved to where its neighbours put it."""
    for _ in range(3):
        moved: list[int] = []
        for index, at in enumerate(places):
            before, after = (moved[-1] if moved else 0), [*places[1:], len(series)][index]
            moved.append(before + _place(series[before:after], at - before))
        if moved == places:
            break
        places = moved
    return places


def _place(stretch: Values, at: int) -> int:
    """Where a stretch changes once, from a first guess: where its values cross from one level to the other."""
    for _ in range(5):
        gains = _gains(_scores(stretch, at))
        better = 1 + int(gains.argmax())
        if better == at:
            break
        at = better
    return at


def _scores(stretch: Values, at: int) -> Values:
    """How much nearer each value lies to the level after than to the level before, in steps, at most BOUND."""
    before, after = float(np.median(stretch[:at])), float(np.median(stretch[at:]))
    if before == after:
        return np.zeros(len(stretch))
    return np.clip((stretch - (before + after) / 2) / (after - before), -BOUND, BOUND)


def _gains(scores: Values) -> Values:
    """How well each cut parts the values: shapes (..., n) and (..., n - 1)."""
    return -np.cumsum(scores, axis=-1)[..., :-1]


def _kept(series: Values, places: list[int], error: float) -> list[int]:
    """The places that are still changes between their neighbours; the least likely one leaves first."""
    while places:
        chances = [_p_between(series, before, after) / error for before, _, after in _neighbours(places, len(series))]
        worst = int(np.argmax(chances))
        if chances[worst] <= 1:
            break
        places = _settled(series, [place for index, place in enumerate(places) if index != worst])
    return places


def _p_between(series: Values, before: int, after: int) -> float:
    """The p of a change between two places, times the number of such stretches that the series holds."""
    return min(1.0, _p_of_two_parts(_ranks(series[before:after])) * len(series) / (after - before))


def _mark(series: Values, before: int, at: int, after: int) -> Mark:
    """The mark of a change between its neighbours."""
    within = [before + place for place in _likely(series[before:after])]
    return Mark(
        at=at,
        earliest=min([at, *within]),
        latest=max([at, *within]),
        p=_p_between(series, before, after),
    )


def _likely(stretch: Values) -> list[int]:
    """The places of one change that its values do not rule out, with 95 % that the change is at one of them.

    If the change is at a place, then the values before it are exchangeable, and those after it too. So a place is
    ruled out if a scan sees a change on either side of it, or if some other place looks better by more than shuffles
    of both sides explain. Both are exact, however few the values.
    """
    rng = np.random.default_rng(0)
    return [at for at in range(1, len(stretch)) if _is_whole(stretch, at) and _is_best(_scores(stretch, at), at, rng)]


def _is_whole(stretch: Values, at: int) -> bool:
    """Whether no scan sees a change on either side of a place."""
    sides = (_ranks(side) for side in (stretch[:at], stretch[at:]) if len(side) > 1)
    return all(_p_of_two_parts(ranks, DRAWS_OF_PLACES) > OUTSIDE_BY_SIDE for ranks in sides)


def _is_best(scores: Values, at: int, rng: np.random.Generator) -> bool:
    """Whether shuffles of both sides explain by how much the best place is better than this one."""
    sides = (np.broadcast_to(side, (DRAWS_OF_PLACES, len(side))) for side in (scores[:at], scores[at:]))
    shuffled = np.concatenate([rng.permuted(side, axis=1) for side in sides], axis=1)
    as_good = int((_better(shuffled, at) >= _better(scores, at) - 1e-9).sum())
    return (1 + as_good) / (1 + DRAWS_OF_PLACES) > OUTSIDE_BY_PLACE


def _better(scores: Values, place: int) -> Values:
    """By how much the best place parts the values better than this one."""
    gains = _gains(scores)
    return np.asarray(gains.max(axis=-1) - gains[..., place - 1])
