"""How often a run that ends by looks is wrong, how long it takes, and what it sees; simulated.

    python benchmarks/looks.py --runs 4000 --seed 1 [--only normal]
    python benchmarks/looks.py --fastest --runs 1000

A run measures the baseline twice (A, A') and four finalists in rounds of random order, until a look of
`bench.plan.looks` has a verdict for each finalist and a sharp ratio of the fastest, or the last look is reached
(bench.analyse.decided). Trials are drawn, not timed.
*Equal*: all finalists are as fast as the baseline. *Mixed*: two are, one takes 5 % longer, one 10 % less.
The rates are of runs (false words, rounds) or of finalists (the rest).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.analyse.best import fastest_set
from bench.analyse.stats import Values, aligned_ranks, exact_interval, p_above, p_by_signs, z_of_shift
from bench.analyse.verdicts import DELTA_CPU
from bench.core.header import Looks
from bench.plan.looks import UNTIL_DECIDED

MARGIN = float(np.log1p(DELTA_CPU))
CONTROLS, FIRST = 2, 2
"""The baseline's arms come first; then the finalists, from this column on."""
EQUAL, MIXED = (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.05, -0.10)
SLOWER, FASTER, SAME, UNDECIDED = 1, -1, 2, 0
UNCERTAIN_RANKS, UNCERTAIN_SIGNS = 0.15, 0.6
"""If z is further than this from the normal quantile, so is the exact p: about twice the furthest seen otherwise."""
INTERVALS = 50
"""Of how many runs the intervals themselves are computed, for their widths."""
NOISES = {
    "normal, sd 1 %": 0.01,
    "normal, sd 2 %": 0.02,
    "normal, sd 4 %": 0.04,
    "normal, sd 10 %": 0.10,
    "carry-over": 0.02,
    "drift": 0.02,
    "bursts": 0.02,
    "t3": 0.02,
    "one arm 5 x": 0.02,
    "spoiled": 0.02,
}
"""The trials' standard deviation under each noise.

- carry-over: the trial after the first finalist's takes 2 % longer;
- drift: the machine slows down by 10 % from the first trial to the last;
- bursts: in one round of four, half of its trials, one after another, take 10 to 35 % longer;
- t3: heavy tails, Student's t with 3 degrees of freedom;
- one arm 5 x: the first finalist's trials vary by 10 %;
- spoiled: one trial in ten takes 20 to 110 % longer.
"""


def trials(noise: str, runs: int, rounds: int, effects: tuple[float, ...], rng: np.random.Generator) -> Values:
    """Log seconds of trials, (runs, rounds, arms): two of the baseline, then the finalists."""
    arms = CONTROLS + len(effects)
    shape = (runs, rounds, arms)
    place = rng.permuted(np.broadcast_to(np.arange(arms), shape), axis=-1)
    logs: Values = rng.normal(0, NOISES[noise], shape)
    if noise == "t3":
        logs = NOISES[noise] * rng.standard_t(3, shape) / np.sqrt(3)
    elif noise == "spoiled":
        logs += np.log1p(rng.uniform(0.2, 1.1, shape)) * (rng.random(shape) < 0.1)
    elif noise == "one arm 5 x":
        logs[..., min(FIRST, arms - 1)] *= 5
    elif noise == "drift":
        logs += np.log1p(0.1) * (np.arange(rounds)[:, None] * arms + place) / (rounds * arms - 1)
    elif noise == "bursts":
        start = rng.integers(0, arms // 2 + 1, (runs, rounds, 1))
        size = rng.uniform(0.1, 0.3, start.shape) * (rng.random(start.shape) < 0.25)
        logs += size * ((place >= start) & (place < start + arms // 2))
    elif noise == "carry-over":
        source = place[..., FIRST, None]
        logs += 0.02 * (place == source + 1)
        logs[:, 1:] += 0.02 * ((source[:, :-1] == arms - 1) & (place[:, 1:] == 0))
    logs[..., FIRST:] += np.log1p(effects)
    return logs


def rejected(variant: Values, controls: Values, shift: Values, error: float) -> NDArray[np.bool_]:
    """Whether both exact tests reject a shift as too low: values (cases, n), (cases, n, k), shifts (cases,)."""
    quantile = stats.norm.isf(error)
    by_ranks = z_of_shift(variant, controls, shift[:, None]) - quantile
    by_signs = z_of_signs(variant, controls, shift[:, None]) - quantile
    over: NDArray[np.bool_] = (by_ranks > -UNCERTAIN_RANKS) & (by_signs > -UNCERTAIN_SIGNS)
    for case in np.flatnonzero(over & (by_ranks < UNCERTAIN_RANKS)):
        over[case] = p_above(variant[case], controls[case], float(shift[case])) <= error
    for case in np.flatnonzero(over & (by_signs < UNCERTAIN_SIGNS)):
        over[case] = p_by_signs(variant[case], controls[case], float(shift[case])) <= error
    return over


def z_of_signs(variant: Values, controls: Values, shift: Values) -> Values:
    """The normal approximation of `p_by_signs`; shapes as for `z_of_shift`."""
    ranks = aligned_ranks(variant, controls, shift)
    own = ranks[..., 0] - ranks.mean(axis=-1)
    return np.asarray(own.sum(axis=-1) / np.sqrt((own**2).sum(axis=-1)))


def words(variant: Values, controls: Values, error: float) -> NDArray[np.int64]:
    """The verdict of each case, as its exact interval gives it."""
    margin = np.full(len(variant), MARGIN)
    slower, not_faster = (rejected(variant, controls, shift, error) for shift in (margin, -margin))
    faster, not_slower = (rejected(-variant, -controls, shift, error) for shift in (margin, -margin))
    return np.select([slower, faster, not_faster & not_slower], [SLOWER, FASTER, SAME], UNDECIDED)


def is_sharp(logs: Values, word: NDArray[np.int64], error: float) -> bool:
    """Whether the half-width of the fastest finalist's ratio is at most delta: logs (n, arms), words (finalists,).

    A real run also ends if it is at most a quarter of the gain. With the effects here that is less than delta.
    """
    fastest = int(np.argmin(np.median(logs[:, FIRST:], axis=0)))
    if word[fastest] == SAME:  # its whole interval lies within delta
        return True
    variant, controls = logs[:, FIRST + fastest], logs[:, :FIRST]
    middle = np.array([np.median(variant - controls.mean(axis=1))])
    ends = ((variant, controls, middle - MARGIN), (-variant, -controls, -middle - MARGIN))
    if all(rejected(v[None], c[None], shift, error)[0] for v, c, shift in ends):  # cheaper than the interval
        return True
    shift = exact_interval(variant, controls, error)
    return (shift.hi - shift.lo) / 2 <= MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How simulated runs ended: words, coverage and half-widths are (runs, finalists), rounds (runs,)."""

    word: NDArray[np.int64]
    covered: NDArray[np.bool_]
    rounds: NDArray[np.int64]
    half_width: Values
    """NaN for runs after the first 50."""


def ended(logs: Values, effects: tuple[float, ...], looks: Looks) -> Ended:
    """Let each run go on until its end."""
    shape = (len(logs), len(effects))
    word, covered = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    rounds, half_width = np.zeros(len(logs), dtype=np.int64), np.full(shape, np.nan)
    going = np.arange(len(logs))
    for n in looks.rounds:
        now = words(*cases(logs[going, :n]), looks.error).reshape(-1, len(effects))
        ends = (now != UNDECIDED).all(axis=1) | (n == looks.rounds[-1])
        for run in np.flatnonzero(ends) if n < looks.rounds[-1] else ():
            ends[run] = is_sharp(logs[going[run], :n], now[run], looks.error)
        stops, going = going[ends], going[~ends]
        word[stops], rounds[stops] = now[ends], n
        if not len(stops):
            continue
        variant, controls = cases(logs[stops, :n])
        truth = np.tile(np.log1p(effects), len(stops))
        too_low = rejected(variant, controls, truth, looks.error)
        too_high = rejected(-variant, -controls, -truth, looks.error)
        covered[stops] = ~(too_low | too_high).reshape(-1, len(effects))
        for case in np.flatnonzero(np.repeat(stops < INTERVALS, len(effects))):
            shift = exact_interval(variant[case], controls[case], looks.error)
            half_width[stops[case // len(effects)], case % len(effects)] = (shift.hi - shift.lo) / 2
        if not len(going):
            break
    return Ended(word=word, covered=covered, rounds=rounds, half_width=half_width)


def cases(logs: Values) -> tuple[Values, Values]:
    """Each finalist of each run as a case of its own: (cases, n) and its baseline's arms (cases, n, 2)."""
    finalists = np.moveaxis(logs[..., FIRST:], -1, 1)
    controls = np.broadcast_to(logs[:, None, :, :FIRST], (*finalists.shape, FIRST))
    return finalists.reshape(-1, logs.shape[1]), controls.reshape(-1, logs.shape[1], FIRST)


def rates(noise: str, runs: int, seed: int, looks: Looks = UNTIL_DECIDED) -> dict[str, float]:
    """What the table shows of one noise."""
    rng = np.random.default_rng([seed, list(NOISES).index(noise)])
    equal = ended(trials(noise, runs, looks.rounds[-1], EQUAL, rng), EQUAL, looks)
    mixed = ended(trials(noise, runs, looks.rounds[-1], MIXED, rng), MIXED, looks)
    return {
        "false": float(np.isin(equal.word, (SLOWER, FASTER)).any(axis=1).mean()),
        "coverage": float(min(*equal.covered.mean(axis=0), *mixed.covered.mean(axis=0))),
        "rounds, equal": float(equal.rounds.mean()),
        "rounds, mixed": float(mixed.rounds.mean()),
        "same": float((equal.word == SAME).mean()),
        "+5 %": float((mixed.word[:, 2] == SLOWER).mean()),
        "-10 %": float((mixed.word[:, 3] == FASTER).mean()),
        "half-width": float(np.nanmedian(equal.half_width)),
    }


def table(only: str, runs: int, seed: int) -> Iterator[str]:
    """The rows of the table of runs."""
    yield (
        "| noise | false words a run | coverage at the stop | rounds, equal | rounds, mixed | SAME, equal | "
        "SLOWER at +5 % | FASTER at -10 % | half-width |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for noise in NOISES:
        if only not in noise:
            continue
        r = rates(noise, runs, seed)
        yield (
            f"| {noise} | {percent(r['false'], 2)} | {percent(r['coverage'])} | {r['rounds, equal']:.1f} | "
            f"{r['rounds, mixed']:.1f} | {percent(r['same'])} | {percent(r['+5 %'])} | {percent(r['-10 %'])} | "
            f"{percent(r['half-width'])} |"
        )


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * share:.{digits}f} %"


def left_out(noise: str, arms: int, gaps: Values, runs: int, seed: int) -> tuple[float, float, float]:
    """Of the set at the stop: how often it lacks an arm of those with gap 0, its mean size, and the mean rounds.

    The run ends at the first look at which the set has one arm, or at the last.
    """
    rng = np.random.default_rng([seed, arms, list(NOISES).index(noise)])
    lacking, size, rounds = [], [], []
    for _ in range(runs):
        logs = trials(noise, 1, UNTIL_DECIDED.rounds[-1], (0.0,) * (arms - CONTROLS), rng)[0] + np.log1p(gaps)
        for n in UNTIL_DECIDED.rounds:
            in_set = fastest_set(logs[:n], UNTIL_DECIDED.error)
            if in_set.sum() == 1:
                break
        lacking.append(not in_set[gaps == 0].all())
        size.append(in_set.sum())
        rounds.append(n)
    return float(np.mean(lacking)), float(np.mean(size)), float(np.mean(rounds))


def fastest_table(only: str, runs: int, seed: int) -> Iterator[str]:
    """The rows of the table of the fastest set: all equal, and each slower than the one before by 1 %."""
    yield "| noise | arms | all equal: one is left out | steps of 1 %: the fastest is left out | set's size | rounds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for noise in ("normal, sd 2 %", "t3", "spoiled", "bursts", "one arm 5 x"):
        if only not in noise:
            continue
        for arms in (2, 4, 8, 16, 34):
            draws = max(100, runs * 4 // arms) if arms > 4 else runs  # many arms take long
            equal, _, _ = left_out(noise, arms, np.zeros(arms), draws, seed)
            field = 0.01 * np.arange(arms, dtype=np.float64)
            ahead, size, rounds = left_out(noise, arms, field, max(30, draws // 8), seed)
            yield f"| {noise} | {arms} | {percent(equal)} | {percent(ahead)} | {size:.2f} | {rounds:.1f} |"


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description="Simulates runs that end by looks.")
    parser.add_argument("--runs", type=int, default=4000, help="simulated runs a row (default: 4000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="WORD", help="only noises whose name has it")
    parser.add_argument("--fastest", action="store_true", help="the set of the fastest instead of the verdicts")
    chosen = parser.parse_args()
    rows = fastest_table if chosen.fastest else table
    for row in rows(chosen.only, chosen.runs, chosen.seed):
        print(row, flush=True)


if __name__ == "__main__":
    main()
