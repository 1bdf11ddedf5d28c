"""Simulated histories: how often a flat one is marked, and how often a planted change is found at its commit.

`python -m benchmarks.history flat --histories 1000` and `planted --histories 250` print the tables of docs/history.md;
`python -m benchmarks.tools.changepoints` what other tools mark in the same histories.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from bench.analyse.history import sizes
from bench.analyse.history.changepoints import Mark, marks
from bench.analyse.stats import as_ratio
from bench.analyse.verdicts import DELTA_CPU, FASTER, SLOWER, verdict
from benchmarks.made_histories import DEPENDENT, NOISES, PLANTED, STEP, Noise, Values, history

ERROR = 0.05
SDS = (0.01, 0.015, 0.02, 0.03)
"""Standard deviations of runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A mark and what the page would say of it."""

    mark: Mark
    verdict: str
    gradual: bool
    unsteady: bool
    covered: bool = False

    @property
    def is_called(self) -> bool:
        """Whether the page gives it a word."""
        return self.verdict in (FASTER, SLOWER) and not (self.gradual or self.unsteady)


def judged(values: Values, error: float = ERROR) -> list[Called]:
    """The marks of a history with their words."""
    found = marks(values, error)
    places = [0, *(mark.at for mark in found), len(values)]
    parts = [values[a:b] for a, b in pairwise(places)]
    unsteady = sizes.is_unsteady(parts)
    called = []
    for index, mark in enumerate(found):
        before, after = parts[index], parts[index + 1]
        shift = sizes.shift(before, after)
        called.append(
            Called(
                mark=mark,
                verdict=verdict(as_ratio(shift), len(values), DELTA_CPU),
                gradual=sizes.is_gradual(parts, index),
                unsteady=unsteady,
                covered=shift.lo <= STEP <= shift.hi,
            )
        )
    return called


def share(count: int, of: int) -> str:
    """A share in per cent."""
    return f"{100 * count / of:.1f} %" if of else ""


def flat_row(name: str, noise: Noise, histories: int, seed: int, error: float = ERROR) -> list[str]:
    """How many flat histories have a mark, and how many a word."""
    rng = np.random.default_rng(seed)
    found = [judged(history(noise, (), rng), error) for _ in range(histories)]
    marked, called = sum(bool(f) for f in found), sum(any(c.is_called for c in f) for f in found)
    return [name, share(marked, histories), share(called, histories)]


def planted_row(name: str, noise: Noise, planted: str, histories: int, seed: int) -> list[str]:
    """How many histories have every planted change at its run, within one run, in its range, called, and no other."""
    rng, steps = np.random.default_rng(seed), PLANTED[planted]
    found = [judged(history(noise, steps, rng), ERROR) for _ in range(histories)]
    whole = [of for of in found if len(of) == len(steps)]

    def hits(off: int) -> int:
        return sum(all(abs(c.mark.at - at) <= off for c, (at, _) in zip(of, steps, strict=True)) for of in whole)

    pairs = [(c, at) for of in whole for c, (at, _) in zip(of, steps, strict=True)]
    within = sum(c.mark.earliest <= at <= c.mark.latest for c, at in pairs)
    width = float(np.median([c.mark.latest - c.mark.earliest + 1 for c, _ in pairs])) if pairs else float("nan")
    return [
        name,
        planted,
        share(hits(0), histories),
        share(hits(1), histories),
        share(sum(all(c.is_called for c in of) for of in whole), histories),
        share(sum(len(of) > len(steps) for of in found), histories),
        share(within, len(pairs)),
        f"{width:.0f}",
        share(sum(c.covered for c, _ in pairs), len(pairs)) if all(size > 0 for _, size in steps) else "",
    ]


def best_possible(sd: float) -> float:
    """The chance that normal noise leaves a step of 6 % at its run, for one who knows both levels.

    That of the likelihood's maximum lying there: two random walks, one to either side, that never rise above where they
    begin (Spitzer's identity, 1956; Hinkley, 1970, for change points).
    """
    chances = (float(stats.norm.sf(STEP / sd * np.sqrt(n) / 2)) / n for n in range(1, 200))
    return float(np.exp(-2 * sum(chances)))


def rows(part: str, histories: int, seed: int) -> Iterator[list[str]]:
    """The rows of a table, its headings first."""
    if part == "flat":
        yield [f"best possible: {', '.join(f'{100 * best_possible(sd):.1f} % at {100 * sd:g} %' for sd in SDS)}"]
        yield ["noise, nothing planted", "marked", "called"]
        for name, noise in (NOISES | DEPENDENT).items():
            yield flat_row(name, noise, histories, seed)
        return
    yield ["noise, 6 % planted", "planted", "at its run", "within one run", "called", "more marks", "in its range",
           "runs in the range", "size in its interval"]  # fmt: skip
    for name, noise in NOISES.items():
        for planted in PLANTED:
            yield planted_row(name, noise, planted, histories, seed + 1)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("flat", "planted"))
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for row in rows(options.part, options.histories, options.seed):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
