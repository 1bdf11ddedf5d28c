"""Intervals against published tables, exact distributions, and simulation."""

import itertools
import math

import numpy as np
import pytest

from bench.analyse.stats import (
    NOTHING,
    Interval,
    holm,
    median_interval,
    median_rank,
    p_above,
    shift_interval,
    z_of_shift,
)


@pytest.mark.parametrize(
    ("n", "rank"),
    # Ranks of the exact 95 % interval of a median: Conover, Practical Nonparametric Statistics, sign
    # test tables (n = 6: least and greatest; 9: second; 12: third; 20: sixth; 25: eighth).
    [(1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6), (25, 8)],
)
def test_ranks_of_the_medians_interval(n: int, rank: int) -> None:
    assert median_rank(n) == rank


@pytest.mark.parametrize("n", range(6, 31))
def test_the_medians_interval_covers_at_least_95_percent(n: int) -> None:
    rank = median_rank(n)
    missed = 2 * sum(math.comb(n, k) for k in range(rank)) / 2**n
    narrower = 2 * sum(math.comb(n, k) for k in range(rank + 1)) / 2**n

    assert missed <= 0.05 < narrower


def test_a_median_and_its_interval() -> None:
    values = [9.0, 1.0, 5.0, 3.0, 7.0, 8.0, 2.0, 6.0, 4.0]

    assert median_interval(values) == Interval(estimate=5.0, lo=2.0, hi=8.0)
    few = median_interval(values[:5])
    assert few.estimate == 5.0
    assert not few.known
    assert math.isnan(median_interval([]).estimate)
    assert median_interval([1.0, math.nan, 3.0]).estimate == 2.0


def test_z_is_that_of_the_exact_permutation_distribution() -> None:
    rng = np.random.default_rng(0)
    variant, controls = rng.normal(0, 1, 4), rng.normal(0, 1, (4, 2))
    rounds = np.column_stack((variant, controls))
    aligned = (rounds - np.median(rounds, axis=1, keepdims=True)).round(12)
    ordered = np.sort(aligned.ravel())
    ranks = np.vectorize(
        lambda v: np.flatnonzero(ordered == v).mean() + 1  # mid-ranks by hand
    )(aligned)
    sums = [sum(choice) for choice in itertools.product(*ranks)]

    expected = (ranks[:, 0].sum() - np.mean(sums)) / np.std(sums)
    assert z_of_shift(variant, controls, 0.0) == pytest.approx(expected)


def test_a_shift_moves_estimate_and_bounds_by_itself() -> None:
    rng = np.random.default_rng(1)
    variant, controls = rng.normal(0, 0.02, 12), rng.normal(0, 0.02, (12, 2))
    here, there = shift_interval(variant, controls), shift_interval(variant + 0.3, controls)

    for name in ("estimate", "lo", "hi"):
        assert getattr(there, name) - getattr(here, name) == pytest.approx(0.3, abs=1e-6)
    assert here.lo < here.estimate < here.hi


def test_what_all_arms_of_a_round_share_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    variant, controls = rng.normal(0, 0.02, 12), rng.normal(0, 0.02, (12, 2))
    drift = np.linspace(0, 5, 12)
    plain = shift_interval(variant, controls)
    drifting = shift_interval(variant + drift, controls + drift[:, None])

    assert (plain.lo, plain.hi) == pytest.approx((drifting.lo, drifting.hi), abs=1e-6)


def test_two_arms_turn_around_when_they_change_places() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 0.02, 12), rng.normal(0.05, 0.02, 12)
    one, other = shift_interval(a, b[:, None]), shift_interval(b, a[:, None])

    assert (one.estimate, one.lo, one.hi) == pytest.approx((-other.estimate, -other.hi, -other.lo), abs=1e-6)


def test_one_bad_round_moves_the_estimate_little() -> None:
    rng = np.random.default_rng(4)
    variant, controls = rng.normal(0.1, 0.01, 12), rng.normal(0, 0.01, (12, 2))
    clean = shift_interval(variant, controls)
    variant[5] += 1.0
    spoilt = shift_interval(variant, controls)

    assert abs(spoilt.estimate - clean.estimate) < 0.01
    assert spoilt.lo > 0.08


def test_p_is_the_share_of_all_permutations_that_rank_as_high() -> None:
    rng = np.random.default_rng(5)
    variant, controls = rng.normal(0.5, 1, 5).round(1), rng.normal(0, 1, (5, 2)).round(1)  # rounded, so that some tie
    rounds = np.column_stack((variant - 0.2, controls))
    aligned = (rounds - np.median(rounds, axis=1, keepdims=True)).round(12)
    ordered = np.sort(aligned.ravel())
    ranks = np.vectorize(lambda v: np.flatnonzero(ordered == v).mean() + 1)(aligned)
    sums = np.array([sum(choice) for choice in itertools.product(*ranks)])

    assert p_above(variant, controls, 0.2) == pytest.approx((sums >= ranks[:, 0].sum() - 1e-9).mean())


def test_p_of_a_variant_that_is_always_last_is_one_in_three_a_round() -> None:
    assert p_above(np.full(4, 1.0), np.zeros((4, 2)), 0.0) == pytest.approx(3.0**-4)
    assert p_above(np.full(4, -1.0), np.zeros((4, 2)), 0.0) == pytest.approx(1.0)
    assert p_above(np.zeros(4), np.zeros((4, 2)), 0.0) == pytest.approx(1.0)


def test_holms_adjusted_p_values() -> None:
    # By hand from Holm (1979): sorted .01, .02, .03, .04 are times 4, 3, 2, 1, and never fall.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_many_cells_at_once_have_the_z_of_each_alone() -> None:
    rng = np.random.default_rng(6)
    variant, controls = rng.normal(0, 1, (3, 9)), rng.normal(0, 1, (3, 9, 2))
    alone = [float(z_of_shift(v, c, 0.1)) for v, c in zip(variant, controls, strict=True)]

    assert z_of_shift(variant, controls, 0.1) == pytest.approx(alone)


def test_against_one_control_six_rounds_are_too_few() -> None:
    assert not shift_interval([0.1] * 6, np.zeros((6, 1))).known
    assert shift_interval([0.1] * 7, np.zeros((7, 1))).known
    assert shift_interval([0.1] * 6, np.zeros((6, 2))).known


def test_fewer_than_six_rounds_have_an_estimate_and_no_bounds() -> None:
    interval = shift_interval([0.1] * 5, np.zeros((5, 2)))

    assert interval.estimate == pytest.approx(0.1, abs=1e-6)
    assert not interval.known


def test_no_rounds_are_nothing() -> None:
    assert shift_interval([], np.zeros((0, 2))) == NOTHING


def test_identical_values_have_no_width() -> None:
    interval = shift_interval([0.5] * 9, np.zeros((9, 2)))

    assert (interval.estimate, interval.lo, interval.hi) == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("variant", "controls", "told"),
    [
        ([1.0, 2.0], [[1.0]], "needs values of shape"),
        ([1.0], [1.0], "needs values of shape"),
        ([math.nan] * 6, np.zeros((6, 1)), "must be finite"),
        ([0.0] * 6, np.full((6, 1), -math.inf), "must be finite"),
    ],
)
def test_values_that_cant_be_compared_are_an_error(variant: object, controls: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        shift_interval(variant, controls)  # type: ignore[arg-type]
