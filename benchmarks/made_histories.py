"""Made-up histories of runs, for `benchmarks.history` and for other tools: noise, and planted changes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Values]
RUNS = 50
STEP = float(np.log(1.06))


def normal(sd: float) -> Noise:
    """Normal noise."""
    return lambda rng, n: rng.normal(0, sd, n)


def heavy(sd: float) -> Noise:
    """Student's t with 3 degrees of freedom, of this standard deviation."""
    return lambda rng, n: rng.standard_t(3, n) * sd / np.sqrt(3)


def spoiled(sd: float) -> Noise:
    """Normal noise, and one run in ten takes 20 to 110 % longer."""
    return lambda rng, n: rng.normal(0, sd, n) + (rng.random(n) < 0.1) * np.log(1 + rng.uniform(0.2, 1.1, n))


def resembling(sd: float, correlation: float) -> Noise:
    """Normal noise of which each value resembles the one before it: an autoregression of order 1."""

    def drawn(rng: np.random.Generator, n: int) -> Values:
        values = rng.normal(0, sd, n)
        for i in range(1, n):
            values[i] = correlation * values[i - 1] + np.sqrt(1 - correlation**2) * values[i]
        return values

    return drawn


def drifting(sd: float, whole: float) -> Noise:
    """Normal noise on a machine that slows down evenly by a share over the whole history."""
    return lambda rng, n: rng.normal(0, sd, n) + np.log1p(whole) * np.linspace(0, 1, n)


NOISES: dict[str, Noise] = {
    "normal, sd 2 %": normal(0.02),
    "normal, sd 3 %": normal(0.03),
    "heavy, sd 2 %": heavy(0.02),
    "heavy, sd 3 %": heavy(0.03),
    "spoiled, sd 2 %": spoiled(0.02),
}
DEPENDENT: dict[str, Noise] = {
    "resembling, 0.3": resembling(0.02, 0.3),
    "resembling, 0.5": resembling(0.02, 0.5),
    "resembling, 0.8": resembling(0.02, 0.8),
    "drift of 5 %": drifting(0.02, 0.05),
    "drift of 10 %": drifting(0.02, 0.1),
    "drift of 20 %": drifting(0.02, 0.2),
}
PLANTED: dict[str, tuple[tuple[int, float], ...]] = {
    "one step, in the middle": ((25, STEP),),
    "one step, 10 runs before the end": ((40, STEP),),
    "one step, 6 runs before the end": ((44, STEP),),
    "one step, 5 runs before the end": ((45, STEP),),
    "one step, 4 runs before the end": ((46, STEP),),
    "two steps up": ((17, STEP), (34, STEP)),
    "up, and back 8 runs later": ((25, STEP), (33, -STEP)),
}


def history(noise: Noise, steps: tuple[tuple[int, float], ...], rng: np.random.Generator, n: int = RUNS) -> Values:
    """The logs of seconds of one history: noise, and planted steps from given runs on."""
    values = noise(rng, n)
    for at, size in steps:
        values[at:] += size
    return values
