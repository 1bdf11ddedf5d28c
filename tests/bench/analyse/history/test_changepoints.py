"""Marks in made-up series: where they are planted, and hardly ever where nothing is."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bench.analyse.history import changepoints
from bench.analyse.history.changepoints import least_values, marks
from benchmarks.history import flat_row, planted_row
from benchmarks.made_histories import NOISES, STEP, history, normal


def places(values: np.ndarray, error: float = 0.05) -> list[int]:
    return [mark.at for mark in marks(values, error)]


def test_the_scan_for_two_parts_is_the_highest_rank_test_of_all_cuts() -> None:
    values = np.random.default_rng(0).normal(size=17)
    n, ours = len(values), changepoints._two_parts(changepoints._ranks(values))

    for cut in range(1, n):
        u = stats.mannwhitneyu(values[:cut], values[cut:]).statistic
        z = (u - cut * (n - cut) / 2) / math.sqrt(cut * (n - cut) * (n + 1) / 12)
        assert ours[cut - 1] == pytest.approx(abs(z))


def test_the_scan_for_the_middle_is_the_highest_rank_test_of_all_parts() -> None:
    ranks = changepoints._ranks(np.random.default_rng(1).normal(size=11))
    n = len(ranks)

    def height(start: int, end: int) -> float:
        length = end - start
        off = ranks[start:end].sum() - length * (n + 1) / 2
        return abs(float(off)) / math.sqrt(length * (n - length) * (n + 1) / 12)

    parts = [(a, b) for a, b in itertools.combinations(range(n + 1), 2) if b - a < n]
    best, ends = changepoints._middle(ranks[None, :])

    assert best[0] == pytest.approx(max(height(*part) for part in parts))
    assert height(*ends[0].tolist()) == pytest.approx(best[0])


def test_the_chance_of_a_scan_is_its_share_of_all_orders() -> None:
    """Of seven values all 5,040 orders can be tried."""
    ranks = np.array([1.0, 2, 3, 4, 7, 6, 5])
    orders = np.array(list(itertools.permutations(range(1, 8))), dtype=float)
    height = changepoints._two_parts(ranks).max()
    exact = float((changepoints._two_parts(orders).max(axis=1) >= height - 1e-9).mean())

    # The standard error of a share of 9,999 shuffles is at most 0.5 points.
    assert changepoints._p_of_two_parts(ranks) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("error", [0.05, 0.005])
def test_the_fewest_values_are_those_of_which_the_clearest_step_is_marked(error: float) -> None:
    n = least_values(error)

    def step(n: int) -> np.ndarray:
        return np.arange(n) * 1e-6 + (np.arange(n) >= n // 2)

    # Two more, since a p of shuffles is not exact.
    assert places(step(n + 2), error) == [(n + 2) // 2]
    assert all(places(step(fewer), error) == [] for fewer in range(2, n))


@pytest.mark.parametrize("noise", NOISES)
def test_few_flat_histories_have_a_mark(noise: str) -> None:
    """At 5 %, more than 11 of 100 have a chance of 0.4 %."""
    marked = float(flat_row(noise, NOISES[noise], 100, seed=3)[1].removesuffix(" %"))

    assert marked <= 11


@pytest.mark.parametrize(
    ("noise", "planted", "at_its_run", "within_one", "called"),
    [
        ("normal, sd 2 %", "one step, in the middle", 70, 88, 90),
        ("heavy, sd 2 %", "one step, in the middle", 75, 85, 85),
        ("normal, sd 2 %", "two steps up", 50, 75, 75),
        ("normal, sd 2 %", "up, and back 8 runs later", 45, 70, 60),
    ],
)
def test_planted_steps_are_found(noise: str, planted: str, at_its_run: int, within_one: int, called: int) -> None:
    row = planted_row(noise, NOISES[noise], planted, 60, seed=4)
    exact, near, with_word = (float(cell.removesuffix(" %")) for cell in row[2:5])

    assert (exact >= at_its_run, near >= within_one, with_word >= called) == (True, True, True), row


def test_noise_of_one_per_cent_puts_nine_of_ten_steps_at_their_run() -> None:
    row = planted_row("normal, sd 1 %", normal(0.01), "one step, in the middle", 60, seed=5)

    assert float(row[2].removesuffix(" %")) >= 90, row


def test_the_range_of_a_change_holds_it() -> None:
    rng = np.random.default_rng(6)
    found = [marks(history(NOISES["normal, sd 3 %"], ((20, STEP),), rng, 40), 0.05) for _ in range(40)]
    within = [any(m.earliest <= 20 <= m.latest for m in of) for of in found if of]

    assert len(within) >= 30
    assert np.mean(within) >= 0.85  # 95 %, less three standard errors


@pytest.mark.parametrize("far", [10.0, -3.0])
@pytest.mark.parametrize("count", [1, 2])
def test_a_run_or_two_however_far_off_mark_nothing(far: float, count: int) -> None:
    values = np.random.default_rng(7).normal(0, 0.02, 50)
    values[30 : 30 + count] += far

    assert places(values) == []


def test_a_mark_goes_by_order_alone() -> None:
    """A monotone change of all values leaves their ranks, and so the p of each mark."""
    values = history(NOISES["normal, sd 2 %"], ((25, STEP),), np.random.default_rng(8))
    plain, bent = marks(values, 0.05), marks(np.exp(values), 0.05)

    assert [mark.p for mark in plain] == [mark.p for mark in bent]
    assert 25 in [mark.at for mark in plain]


def test_equal_values_have_no_mark() -> None:
    assert places(np.zeros(30)) == []
    assert places(np.array([])) == []
    assert places(np.array([1.0])) == []


def test_equal_values_on_either_side_are_cut_between_them() -> None:
    [mark] = marks(np.repeat([1.0, 1.1], [12, 8]), 0.05)

    # That a run of the one level lies on the other side has a chance of one in nine: too much to rule it out.
    assert (mark.at, mark.earliest, mark.latest) == (12, 11, 13)
    assert mark.p < 0.001


@pytest.mark.parametrize("values", [[1.0, math.nan], [[1.0, 2.0]], [math.inf]])
def test_what_is_no_series_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="finite values"):
        marks(values, 0.05)  # type: ignore[arg-type]
