"""How often the race keeps the truly fastest candidate, quiet and beside bursts of other work; simulated.

    python -m benchmarks.race --races 1000 --seed 1

Ten candidates, each 4 % slower than the one before, race in lockstep for three places, with the plan's own rules
(bench.plan.race). A trial has three samples of about 0.7 s. Its process has luck of its own (sd 6 %), and each sample
varies (sd 3 % or 8 %). Bursts and pauses of other work last 1 to 30 s, log-uniformly, as those of benchmarks/disturber;
within a burst a step goes 1.8 times as slowly. A trial counts by its median sample or by its fastest.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from statistics import mean, median

import numpy as np
from tabulate import tabulate

from bench.core.variants import Variant
from bench.plan import race
from benchmarks.disturber import LONGEST_S, SHORTEST_S

CANDIDATES, APART, BASELINE = 10, 0.04, 0.4
"""How many race, how far each is from the next, and how far the baseline from the fastest, in logs of seconds."""
SAMPLES, STEP_S, LUCK, SLOWDOWN = 3, 0.7, 0.06, 1.8
BETWEEN_ROUNDS_S = 6.0
Of = Callable[[list[float]], float]
"""What a trial's samples count as."""


class Machine:
    """A machine with a clock, on which others work in bursts or not at all."""

    def __init__(self, rng: np.random.Generator, *, disturbed: bool) -> None:
        self.rng, self.now_s = rng, 0.0
        self._lengths_s = self._bursts() if disturbed else itertools.repeat(math.inf)
        self._busy, self._until_s = True, 0.0

    def _bursts(self) -> Iterator[float]:
        while True:
            yield float(np.exp(self.rng.uniform(math.log(SHORTEST_S), math.log(LONGEST_S))))

    def work(self, seconds: float) -> float:
        """How long takes what takes so many seconds on a quiet machine."""
        began_s = self.now_s
        while seconds > 0:
            if self.now_s >= self._until_s:
                self._busy, self._until_s = not self._busy, self.now_s + next(self._lengths_s)
            pace = 1 / SLOWDOWN if self._busy else 1.0
            used_s = min(seconds / pace, self._until_s - self.now_s)
            seconds -= used_s * pace
            self.now_s = self._until_s if used_s == self._until_s - self.now_s else self.now_s + used_s
        return self.now_s - began_s


def round_of(machine: Machine, logs: dict[str, float], within: float, of: Of) -> dict[str, float]:
    """The log of each arm's value in one round of the race, in lockstep."""
    luck = {arm: log + machine.rng.normal(0, LUCK) for arm, log in logs.items()}
    seconds: dict[str, list[float]] = {arm: [] for arm in logs}
    for _ in range(SAMPLES):
        for arm in machine.rng.permutation(list(logs)):
            seconds[arm].append(machine.work(STEP_S * math.exp(luck[arm] + machine.rng.normal(0, within))))
    machine.work(BETWEEN_ROUNDS_S)
    return {arm: math.log(of(values)) for arm, values in seconds.items()}


def keeps_fastest(rng: np.random.Generator, within: float, of: Of, *, disturbed: bool) -> bool:
    """Whether one race keeps its fastest candidate."""
    machine = Machine(rng, disturbed=disturbed)
    left = [Variant(threads=number + 1) for number in range(CANDIDATES)]
    true = {variant.id: APART * number for number, variant in enumerate(left)}
    seen: dict[str, list[float]] = {variant_id: [] for variant_id in true}
    while not race.is_over(left, race.FINALISTS):
        arms = {v.id: true[v.id] for v in left} | {"A": BASELINE, "A'": BASELINE}
        logs = round_of(machine, arms, within, of)
        for variant in left:
            seen[variant.id].append(logs[variant.id] - mean((logs["A"], logs["A'"])))
        left = race.halved(sorted(left, key=lambda v: median(seen[v.id])), race.FINALISTS)
    return min(true, key=true.__getitem__) in {variant.id for variant in left}


def main() -> None:
    """Print how often races keep their fastest candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    rows = []
    for disturbed, within in itertools.product((False, True), (0.03, 0.08)):
        kept = {
            name: mean(keeps_fastest(rng, within, of, disturbed=disturbed) for _ in range(args.races))
            for name, of in (("by medians", median), ("by fastest samples", min))
        }
        rows.append({"bursts": "yes" if disturbed else "no", "sample sd": f"{within:.0%}"} | kept)
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3f"))


if __name__ == "__main__":
    main()
