"""What other tools mark in the histories of `benchmarks.history`: E-divisive (apache-otava) and PELT (ruptures).

In an environment of its own: `pip install apache-otava ruptures`, then `python -m benchmarks.tools.changepoints`.
"""

import argparse
from collections.abc import Callable

import numpy as np
import ruptures
from otava.analysis import compute_change_points

from benchmarks.made_histories import NOISES, PLANTED, Values, history

LEVEL, WINDOW, LEAST = 0.001, 100, 0.0
"""Otava's default of p; one window, since with overlapping ones it may end with an error; any size counts."""


def otava(values: Values) -> list[int] | None:
    """E-divisive means with Student's t-test, as Apache Otava runs it; None if it ends with an error.

    Otava 0.8 raises ValueError for some histories, from a window in which its own list of marks leaves an empty part.
    """
    try:
        points, _ = compute_change_points(np.exp(values), window_len=WINDOW, max_pvalue=LEVEL, min_magnitude=LEAST)
    except ValueError:
        return None
    return [point.index for point in points]


def pelt(values: Values) -> list[int]:
    """PELT with least squares, and the penalty of the information criterion of Schwarz."""
    sd = np.median(np.abs(np.diff(values))) / (np.sqrt(2) * 0.6745)
    return list(ruptures.Pelt(model="l2", min_size=2, jump=1).fit(values).predict(pen=2 * sd**2 * np.log(len(values))))[
        :-1
    ]


TOOLS: dict[str, Callable[[Values], list[int] | None]] = {"Otava (E-divisive)": otava, "ruptures (PELT)": pelt}


def main() -> None:
    """Print how often each tool marks a flat history, and finds one step of 6 % in the middle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    steps = PLANTED["one step, in the middle"]
    for tool, found in TOOLS.items():
        for name, noise in NOISES.items():
            rngs = np.random.default_rng(options.seed), np.random.default_rng(options.seed + 1)
            flat = [found(history(noise, (), rngs[0])) for _ in range(options.histories)]
            planted = [found(history(noise, steps, rngs[1])) for _ in range(options.histories)]
            answers = [marks for marks in planted if marks is not None]
            shares = (
                np.mean([len(marks) > 0 for marks in flat if marks is not None]),
                np.mean([marks == [steps[0][0]] for marks in answers]),
                np.mean([len(marks) == 1 and abs(marks[0] - steps[0][0]) <= 1 for marks in answers]),
                np.mean([len(marks) > 1 for marks in answers]),
                np.mean([marks is None for marks in (*flat, *planted)]),
            )
            print("| " + " | ".join([tool, name, *(f"{100 * share:.1f} %" for share in shares)]) + " |", flush=True)


if __name__ == "__main__":
    main()
