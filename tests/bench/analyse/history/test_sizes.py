"""The size of a change, and what only looks like one."""

import numpy as np
import pytest

from bench.analyse.history import sizes


def test_a_shift_is_the_median_of_all_differences() -> None:
    shift = sizes.shift(np.array([1.0, 2, 3]), np.array([11.0, 12, 14]))

    # The nine differences in order: 8, 9, 9, 10, 10, 11, 11, 12, 13.
    assert shift.estimate == 10


def test_the_bounds_of_a_shift_are_those_of_the_rank_test() -> None:
    """Ten and ten values: 50 - 1.96 * sqrt(100 * 21 / 12) is 24.07, so the 24th difference of either end."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=10), rng.normal(size=10) + 1
    differences = np.sort((after[None, :] - before[:, None]).ravel())
    shift = sizes.shift(before, after)

    assert (shift.lo, shift.hi) == (differences[23], differences[-24])


@pytest.mark.parametrize(("before", "after"), [(25, 25), (40, 10), (44, 6)])
def test_the_interval_holds_the_truth_in_95_per_cent(before: int, after: int) -> None:
    rng = np.random.default_rng(1)
    pairs = [sizes.shift(rng.standard_t(3, before), rng.standard_t(3, after) + 2) for _ in range(1000)]
    held = np.mean([shift.lo <= 2 <= shift.hi for shift in pairs])

    assert 0.93 <= held <= 0.975


def test_a_side_with_too_few_values_has_no_bounds() -> None:
    assert not sizes.shift(np.array([1.0]), np.array([2.0, 3.0])).known
    assert np.isnan(sizes.shift(np.array([]), np.array([2.0])).estimate)


def test_a_ramp_is_gradual_and_a_step_is_not() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 30)
    ramp, middle, late = np.linspace(0, 3, 30) + noise, (np.arange(30) >= 15) + noise, (np.arange(30) >= 26) + noise

    assert sizes.is_gradual(np.split(ramp, [15]), 0)
    assert sizes.is_gradual(np.split(ramp, [10, 20]), 1)
    assert not sizes.is_gradual(np.split(middle, [15]), 0)
    assert not sizes.is_gradual(np.split(late, [26]), 0)


def test_independent_values_are_rarely_unsteady_and_drift_is_seen() -> None:
    rng = np.random.default_rng(3)
    flat = [sizes.is_unsteady([rng.normal(size=25), rng.normal(size=25) + 3]) for _ in range(200)]
    walks = [sizes.is_dependent(np.cumsum(rng.normal(size=50))) for _ in range(50)]
    rising = [sizes.is_drifting([np.linspace(0, 2, 25) + rng.normal(size=25) for _ in range(2)]) for _ in range(50)]

    assert np.mean(flat) <= 0.05  # two tests at 1 % each
    assert np.mean(walks) >= 0.9
    assert np.mean(rising) >= 0.9


def test_scatter_is_the_standard_deviation_whatever_steps() -> None:
    values = np.random.default_rng(4).normal(0, 0.02, 400)
    values[200:] += 1.0

    assert sizes.scatter(values) == pytest.approx(0.02, rel=0.15)
    assert np.isnan(sizes.scatter(values[:2]))
