"""How far a machine stands out from its group, and how often one of an all-alike group would by chance.

Hampel's identifier (median and MAD) with a critical value for each size of group that is found by simulation, as Davies
and Gather define it: no member of an all-alike group is marked with a chance of 1 - error ("The identification of
multiple outliers", Journal of the American Statistical Association 88, 1993, pages 782 to 792).
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from bench.analyse.fleet.tails import Tails
from bench.analyse.stats import Values

LEAST_MACHINES = 6
"""Of fewer machines none is marked. It is the smallest group in which four of five machines that are 20 % slower are
found if the others scatter by 2 % (docs/fleet.md has the shares)."""
SIMULATED = 19_999
"""Groups for each size: the smallest p is 1 in 20,000."""
AT_ONCE = 2_000_000
"""Values that are drawn in one go, which bounds the memory."""
NORMAL_MAD = 0.6744897501960817
"""The MAD of the normal distribution with deviation 1."""
DEGREES = 4
"""Of Student's t that stands for heavy tails."""


DRAWN: dict[Tails, Callable[[np.random.Generator, tuple[int, int]], Values]] = {
    Tails.NORMAL: lambda rng, shape: rng.standard_normal(shape),
    Tails.HEAVY: lambda rng, shape: rng.standard_t(DEGREES, shape),
}


def scale(values: Values) -> Values:
    """The robust deviation of each group, shape (..., n) to (...): the MAD, scaled to be normal noise's deviation."""
    centre = np.median(values, axis=-1, keepdims=True)
    return np.asarray(np.median(np.abs(values - centre), axis=-1) / NORMAL_MAD)


def distances(values: Values) -> Values:
    """How many deviations each value lies above its group's median, shape (..., n); NaN if most values are equal."""
    centre, deviation = np.median(values, axis=-1, keepdims=True), scale(values)[..., None]
    return np.asarray((values - centre) / np.where(deviation > 0, deviation, math.nan))


@cache
def farthest(n: int, tails: Tails) -> Values:
    """The distance of the farthest of n machines in each of SIMULATED groups that are alike, ascending.

    The seed is fixed: a page that is written again says the same.
    """
    rng, step = np.random.default_rng((n, list(Tails).index(tails))), max(1, AT_ONCE // n)
    sizes = [min(step, SIMULATED - start) for start in range(0, SIMULATED, step)]
    return np.sort(np.concatenate([np.abs(distances(DRAWN[tails](rng, (size, n)))).max(-1) for size in sizes]))


def p_values(z: Values, tails: Tails) -> Values:
    """For each distance of a group, the chance that any machine of an all-alike group lies as far off, shape (n,)."""
    simulated = farthest(len(z), tails)
    beyond = len(simulated) - np.searchsorted(simulated, np.abs(z), side="left")
    return np.asarray(np.where(np.isnan(z), math.nan, (1 + beyond) / (1 + len(simulated))))


def critical(n: int, error: float, tails: Tails) -> float:
    """The distance from which on a machine's p is at most `error`; endless if none gives so small a p."""
    simulated = farthest(n, tails)
    beyond = math.floor(error * (1 + len(simulated)) + 1e-9) - 1
    return float(np.nextafter(simulated[-beyond - 1], math.inf)) if beyond >= 0 else math.inf
