"""The errors of intervals at looks: against Brownian motion, exact enumeration, and simulated rounds."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.analyse.stats import (
    NOTHING,
    Interval,
    exact_interval,
    least_rounds,
    p_above,
    p_by_signs,
    p_of_shift,
    shift_interval,
    z_of_shift,
)
from bench.analyse.verdicts import more_rounds
from bench.plan.looks import UNTIL_DECIDED
from bench.plan.schedule import DECIDING_ROUNDS

ONCE = 0.025
"""The error of one end of a single interval of 95 %: what all looks together may have."""

Values = NDArray[np.float64]


def brownian(rounds: int, draws: int = 200_000) -> Values:
    """The z of a mean of 1, 2, ... normal values: (draws, rounds)."""
    sums = np.random.default_rng(7).standard_normal((draws, rounds)).cumsum(axis=1)
    return np.asarray(sums / np.sqrt(np.arange(1, rounds + 1)))


def chance_at_any(z: Values, looks: tuple[int, ...], error: float) -> float:
    """How often one end of an interval errs at one of the looks at least."""
    return float((z[:, [n - 1 for n in looks]] > stats.norm.isf(error)).any(axis=1).mean())


def most(rate: float, draws: int) -> float:
    """The largest share that a rate explains: 99.9 % of all simulations stay below."""
    return float(stats.binom.ppf(0.999, draws, rate)) / draws


def test_the_simulation_gives_pococks_constants() -> None:
    """Pocock (1977), two-sided 5 %: 2.178 for 2 looks, 2.289 for 3, 2.413 for 5, 2.512 for 8, all equally spaced."""
    z = brownian(24)
    for count, constant in ((2, 2.178), (3, 2.289), (8, 2.512)):
        looks = tuple(range(24 // count, 25, 24 // count))

        assert chance_at_any(z, looks, float(stats.norm.sf(constant))) == pytest.approx(ONCE, abs=0.001)


def test_all_looks_together_err_no_more_than_a_single_one() -> None:
    z, looks = brownian(UNTIL_DECIDED.rounds[-1]), UNTIL_DECIDED.rounds

    assert 0.02 < chance_at_any(z, looks, UNTIL_DECIDED.error) <= ONCE
    # A rule that takes an interval of 95 % at each look.
    assert chance_at_any(z, looks, ONCE) > 2 * ONCE


@pytest.mark.parametrize("end", range(1, UNTIL_DECIDED.rounds[-1] + 1))
def test_a_run_that_its_budget_ends_between_looks_errs_no_more(end: int) -> None:
    taken = (*(n for n in UNTIL_DECIDED.rounds if n < end), end)

    assert chance_at_any(brownian(end, 50_000), taken, UNTIL_DECIDED.error) <= ONCE


def test_the_first_look_is_the_first_that_can_decide() -> None:
    """A run takes its last look in any case, so the plan must hold it."""
    looks = UNTIL_DECIDED

    assert list(looks.rounds) == sorted(set(looks.rounds))
    assert looks.rounds[0] == DECIDING_ROUNDS == least_rounds(looks.error)
    assert 2.0**-DECIDING_ROUNDS <= looks.error < 2.0 ** -(DECIDING_ROUNDS - 1)


def draws_of(noise: str, runs: int, rounds: int) -> Values:
    """Log seconds of V, A and A', (runs, rounds, 3), all alike."""
    rng = np.random.default_rng(len(noise))
    logs = rng.normal(0, 0.02, (runs, rounds, 3))
    if noise == "spoiled":
        logs += np.log1p(rng.uniform(0.2, 1.1, logs.shape)) * (rng.random(logs.shape) < 0.1)
    return logs


def errs_at_any_look(logs: Values, error: float) -> Values:
    """How often an interval lies wholly above, and wholly below, the truth at one of the looks."""
    z = np.array([z_of_shift(logs[:, :n, 0], logs[:, :n, 1:], 0.0) for n in UNTIL_DECIDED.rounds])
    limit = stats.norm.isf(error)
    return np.array([(z > limit).any(axis=0).mean(), (z < -limit).any(axis=0).mean()])


@pytest.mark.parametrize("noise", ["normal", "spoiled"])
def test_aligned_ranks_keep_the_error_over_all_looks(noise: str) -> None:
    """No run ends early here, so each has all its chances to be wrong. That is the worst case of any rule to stop."""
    logs = draws_of(noise, 3000, UNTIL_DECIDED.rounds[-1])

    assert (errs_at_any_look(logs, UNTIL_DECIDED.error) <= most(ONCE, 3000)).all()
    assert (errs_at_any_look(logs, ONCE) > most(ONCE, 3000)).all()


@pytest.mark.parametrize("rounds", [8, 10])
@pytest.mark.parametrize("noise", ["normal", "spoiled"])
def test_few_rounds_keep_the_error_exactly(noise: str, rounds: int) -> None:
    """The truth lies beyond an end if its exact p is at most the error."""
    p = np.array([p_of_shift(logs[:, 0], logs[:, 1:], 0.0) for logs in draws_of(noise, 2000, rounds)])

    for error in (UNTIL_DECIDED.error, ONCE):
        assert (p <= error).mean() <= most(error, 2000)


def ranks_by_hand(logs: Values, shift: float) -> Values:
    """Mid-ranks among all rounds' values, each less its round's median: (rounds, arms)."""
    moved = logs - np.array([shift] + [0.0] * (logs.shape[1] - 1))
    aligned = np.round(moved - np.median(moved, axis=1, keepdims=True), 12)
    return np.asarray(stats.rankdata(aligned).reshape(logs.shape))


def p_by_enumeration(logs: Values, shift: float) -> float:
    """The share of all ways to call one of each round's values the variant's that rank as high, or higher."""
    ranks = ranks_by_hand(logs, shift)
    sums = [sum(choice) for choice in itertools.product(*ranks)]
    return float(np.mean([s >= ranks[:, 0].sum() for s in sums]))


def p_by_all_signs(logs: Values, shift: float) -> float:
    """The share of all signs of the variant's deviations from its rounds' mean ranks that sum as high, or higher."""
    ranks = ranks_by_hand(logs, shift)
    own = ranks[:, 0] - ranks.mean(axis=1)
    sums = np.array(list(itertools.product((-1, 1), repeat=len(own)))) @ np.abs(own)
    return float(np.mean(sums >= own.sum() - 1e-9))


@pytest.mark.parametrize(("rounds", "arms"), [(5, 3), (6, 3), (6, 2), (8, 2)])
def test_the_ends_of_an_exact_interval_are_those_of_enumeration(rounds: int, arms: int) -> None:
    """Beyond an end both tests reject the shift. Within it one at least does not."""
    rng = np.random.default_rng(rounds)
    for _ in range(5):
        logs = rng.normal(0, 0.02, (rounds, arms))
        shift = exact_interval(logs[:, 0], logs[:, 1:], 0.05)
        for side, end in ((1, shift.lo), (-1, -shift.hi)):
            beyond, within = (
                max(p(side * logs, end + by) for p in (p_by_enumeration, p_by_all_signs)) for by in (-1e-5, 1e-5)
            )
            assert beyond <= 0.05 < within
        assert p_above(logs[:, 0], logs[:, 1:], 0.01) == pytest.approx(p_by_enumeration(logs, 0.01), abs=1e-12)


@pytest.mark.parametrize("arms", [2, 3])
def test_p_by_signs_is_that_of_enumeration(arms: int) -> None:
    rng = np.random.default_rng(arms)
    for shift in (-0.02, 0.0, 0.02):
        logs = rng.normal(0, 0.02, (7, arms))

        assert p_by_signs(logs[:, 0], logs[:, 1:], shift) == pytest.approx(p_by_all_signs(logs, shift), abs=1e-12)


def test_an_interval_keeps_the_error_also_if_the_variant_is_five_times_as_noisy() -> None:
    """The test by ranks alone does not: it takes the three arms of a round for alike."""
    logs = draws_of("normal", 2000, 12) * np.array([5, 1, 1])
    by_both, by_ranks = (
        np.mean([p_of(draw[:, 0], draw[:, 1:], 0.0) <= ONCE for draw in logs]) for p_of in (p_of_shift, p_above)
    )

    assert by_both <= most(ONCE, 2000) < by_ranks


def test_a_smaller_error_gives_a_wider_interval() -> None:
    for logs in draws_of("spoiled", 8, 12):
        shifts = [exact_interval(logs[:, 0], logs[:, 1:], error) for error in (0.1, 0.025, 0.006, 0.001)]
        for narrow, wide in itertools.pairwise(shifts):
            assert wide.lo <= narrow.lo <= narrow.estimate <= narrow.hi <= wide.hi


def test_at_95_percent_it_is_a_little_wider_than_by_ranks_alone() -> None:
    """By ranks and the normal approximation, which holds at 20 rounds."""
    times_as_wide = []
    for logs in draws_of("normal", 12, 20):
        exact = exact_interval(logs[:, 0], logs[:, 1:], ONCE)
        by_ranks = shift_interval(logs[:, 0], logs[:, 1:])
        times_as_wide.append((exact.hi - exact.lo) / (by_ranks.hi - by_ranks.lo))

        assert exact.estimate == by_ranks.estimate
    assert min(times_as_wide) > 0.95
    assert np.mean(times_as_wide) < 1.15


def test_an_exact_interval_without_bounds() -> None:
    """The smallest p by signs is 2**-n, however many controls: 1.6 % of 6 rounds, 0.8 % of 7, 0.4 % of 8."""
    logs = draws_of("normal", 1, 8)[0]
    cases = ((6, 2, 0.0155, False), (6, 2, 0.0157, True), (7, 1, 0.006, False), (7, 2, 0.006, False))
    for rounds, controls, error, known in (*cases, (8, 1, 0.006, True), (8, 2, 0.006, True)):
        shift = exact_interval(logs[:rounds, 0], logs[:rounds, 1 : 1 + controls], error)

        assert shift.known is known
        assert not math.isnan(shift.estimate)
    assert exact_interval([], np.empty((0, 2)), 0.006) is NOTHING
    with pytest.raises(ValueError, match="finite"):
        exact_interval([1.0, math.nan], [[1.0], [1.0]], 0.006)


def test_equal_values_have_an_interval_of_no_width() -> None:
    shift = exact_interval(np.full(8, 0.5), np.zeros((8, 2)), 0.006)

    assert (shift.estimate, shift.lo, shift.hi) == pytest.approx((0.5, 0.5, 0.5), abs=1e-5)


def ratio_of(estimate: float, half_width: float) -> Interval:
    """A ratio whose logarithm has a symmetrical interval."""
    return Interval(estimate=math.exp(estimate), lo=math.exp(estimate - half_width), hi=math.exp(estimate + half_width))


@pytest.mark.parametrize(
    ("ratio", "more"),
    [
        (ratio_of(math.log(1.03) + 0.02, 0.0298), 15),  # 1.49 times narrower: 2.22 times 12 rounds, so 27
        (ratio_of(-math.log(1.03) - 0.02, 0.0298), 15),
        (ratio_of(0.0, math.log(1.03) * 1.49), 15),
        (ratio_of(math.log(1.03) - 0.02, 0.0298), 15),  # the end by +3 % is the nearer one
        (ratio_of(math.log(1.03), 0.02), None),  # on delta
        (ratio_of(math.log(1.03) + 0.01, 0.021), None),  # 2.1 times narrower
        (ratio_of(math.log(1.03) - 0.01, 0.021), None),
        (ratio_of(math.log(1.03) + 0.02, 0.0200001), 1),
        (Interval(estimate=1.1, lo=math.nan, hi=math.nan), None),
        (NOTHING, None),
    ],
)
def test_how_many_more_rounds_an_undecided_ratio_needs(ratio: Interval, more: int | None) -> None:
    assert more_rounds(ratio, 12, 0.03) == more
