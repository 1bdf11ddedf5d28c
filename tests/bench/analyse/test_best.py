"""The set of the fastest: what chance leaves out of it, and what must leave it."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.analyse.best import fastest_set, p_of_range
from bench.analyse.stats import z_of_shift

ERROR = 0.025
"""Twice that is the chance that the set may lack an arm."""

Values = NDArray[np.float64]


def draws_of(noise: str, draws: int, rounds: int, gaps: Values) -> Values:
    """Log seconds, (draws, rounds, arms): each arm is slower by its gap."""
    rng = np.random.default_rng([len(noise), rounds, len(gaps)])
    logs = rng.normal(0, 0.02, (draws, rounds, len(gaps)))
    if noise == "spoiled":
        logs += np.log1p(rng.uniform(0.2, 1.1, logs.shape)) * (rng.random(logs.shape) < 0.1)
    return logs + gaps + rng.normal(0, 0.1, (draws, rounds, 1))  # a round may be slow as a whole


def share_lacking(in_set: Callable[[Values], NDArray[np.bool_]], logs: Values, gaps: Values) -> float:
    """How often one of the truly fastest is left out."""
    return float(np.mean([not in_set(rounds)[gaps == gaps.min()].all() for rounds in logs]))


def ours(rounds: Values) -> NDArray[np.bool_]:
    return fastest_set(rounds, ERROR)


def by_single_intervals(rounds: Values) -> NDArray[np.bool_]:
    """A broken rule: whatever its own interval of 95 % does not separate from the arm with the least median."""
    best = int(np.argmin(np.median(rounds, axis=0)))
    z = [float(z_of_shift(rounds[:, arm], rounds[:, [best]], 0.0)) for arm in range(rounds.shape[1])]
    return np.array(z) <= stats.norm.isf(ERROR)


DRAWS = 400
MOST = float(stats.binom.ppf(0.999, DRAWS, 2 * ERROR)) / DRAWS


@pytest.mark.parametrize("noise", ["normal", "spoiled"])
@pytest.mark.parametrize(("rounds", "arms"), [(6, 2), (6, 3), (12, 6), (8, 12)])
def test_of_equal_arms_chance_leaves_none_out(noise: str, rounds: int, arms: int) -> None:
    gaps = np.zeros(arms)

    assert share_lacking(ours, draws_of(noise, DRAWS, rounds, gaps), gaps) <= MOST


def test_single_intervals_leave_equal_arms_out() -> None:
    gaps = np.zeros(12)

    assert share_lacking(by_single_intervals, draws_of("normal", DRAWS, 12, gaps), gaps) > MOST


@pytest.mark.parametrize(
    "gaps",
    [
        [0.0, 0.005, 0.005, 0.005, 0.005],  # one is fastest, by little
        [0.0, 0.0, 0.0, 0.02, 0.04, 0.3],  # three are
        [0.0, 0.0, 0.03, 0.03, 0.03, 0.03],  # two, before a pack
    ],
)
def test_the_truly_fastest_stay(gaps: list[float]) -> None:
    effects = np.array(gaps)

    assert share_lacking(ours, draws_of("normal", DRAWS, 12, effects), effects) <= MOST


def test_slower_arms_leave() -> None:
    """Gaps of five standard deviations of a trial, over 8 rounds, are never overlooked."""
    gaps = np.array([0.3, 0.0, 0.2, 0.0, 0.1])
    sets = [ours(rounds) for rounds in draws_of("normal", 50, 8, gaps)]

    assert not any(in_set[gaps > 0].any() for in_set in sets)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_p_of_the_range_is_that_of_all_shuffles(level: float) -> None:
    rng = np.random.default_rng(3)
    ranks = stats.rankdata(rng.normal(0, 1, (4, 3)) + level * np.arange(3)).reshape(4, 3)
    orders = itertools.product(*(list(itertools.permutations(row)) for row in ranks))
    ranges = np.array([np.ptp(np.sum(order, axis=0)) for order in orders])
    exact = float((ranges >= np.ptp(ranks.sum(axis=0))).mean())

    # Four standard deviations of 1,999 shuffles.
    assert p_of_range(ranks) == pytest.approx(exact, abs=0.001 + 4 * math.sqrt(exact * (1 - exact) / 1999))


def test_equal_values_stay_and_give_the_same_set_again() -> None:
    rng = np.random.default_rng(5)
    logs = rng.normal(0, 0.02, (12, 5)) + np.array([0, 0, 0.02, 0.03, 0.2])

    assert ours(np.zeros((12, 4))).all()
    assert ours(np.tile(rng.normal(0, 1, (12, 1)), 3)).all()
    assert (ours(logs) == ours(logs.copy())).all()
    assert (ours(logs) == ours(logs + rng.integers(0, 4, (12, 1)))).all()  # slow rounds change nothing


def test_an_arm_without_a_value_is_not_in_the_set_and_changes_nothing() -> None:
    logs = draws_of("normal", 1, 12, np.array([0.0, 0.0, 0.2, -0.5]))[0]
    logs[3, 3] = math.nan

    assert ours(logs).tolist() == [*ours(logs[:, :3]).tolist(), False]
    assert ours(logs)[0]
    assert not ours(np.full((12, 2), math.nan)).any()


def test_few_rounds_and_few_arms() -> None:
    apart = np.array([0.0, 1.0, 2.0]) + np.zeros((6, 1))

    assert ours(apart).tolist() == [True, False, False]
    assert ours(apart[:5]).all()
    assert ours(apart[:, :1]).tolist() == [True]
    assert ours(np.empty((8, 0))).tolist() == []
    assert ours(np.empty((0, 2))).tolist() == [True, True]
    with pytest.raises(ValueError, match="shape"):
        ours(np.zeros(4))


def test_a_stricter_error_leaves_no_more_out() -> None:
    for rounds in draws_of("normal", 20, 12, np.array([0.0, 0.01, 0.02, 0.03])):
        assert (fastest_set(rounds, 0.006) >= ours(rounds)).all()
