"""Blocks combined: against published results of meta-analyses, exact special cases, and simulation."""

import math

import numpy as np
import pytest

from bench.analyse.sweep.blocks import Within, combined, within

# Thirteen trials of the BCG vaccine, log risk ratios and their variances (Colditz et al., 1994), as in metafor's
# dat.bcg, to four digits.
BCG = (-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394, 0.4459,
       -0.0173)  # fmt: skip
VARIANCES = (0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714)


def known(variances: object) -> Within:
    return Within(variances=np.asarray(variances, dtype=np.float64), freedom=math.inf)


def test_the_deviation_between_blocks_is_that_of_metafor_and_statsmodels() -> None:
    found = combined(BCG, known(VARIANCES))

    # confint(rma(yi, vi, data=dat.bcg)) of metafor (Viechtbauer, 2010): the Q-profile, whichever the estimator is.
    assert (found.between.lo, found.between.hi) == pytest.approx((0.3460, 1.0543), abs=1e-4)
    assert (found.between.lo**2, found.between.hi**2) == pytest.approx((0.1197, 1.1115), abs=1e-4)
    # statsmodels 0.14, combine_effects(y, v, method_re="iterated", use_t=True), from the counts of the trials.
    assert found.between.estimate**2 == pytest.approx(0.31807, abs=1e-4)
    assert found.mean.estimate == pytest.approx(-0.714968, abs=1e-4)
    assert (found.mean.lo, found.mean.hi) == pytest.approx((-1.109098, -0.320838), abs=1e-4)


def test_with_equal_noise_it_is_the_analysis_of_variance() -> None:
    # Snedecor and Cochran, Statistical Methods, one-way random effects: calcium in four turnip leaves, four
    # determinations each. Mean squares 0.2961 between and 0.0066 within, so the variance between leaves is 0.0724.
    leaves = ((3.28, 3.09, 3.03, 3.03), (3.52, 3.48, 3.38, 3.38), (2.88, 2.80, 2.81, 2.76), (3.34, 3.38, 3.23, 3.26))
    blocks = [[np.array(leaf)] for leaf in leaves]
    found = combined([float(np.mean(leaf)) for leaf in leaves], within(blocks))

    assert found.within**2 * 4 == pytest.approx(0.0066, abs=5e-5)
    assert found.between.estimate**2 == pytest.approx(0.0724, abs=5e-5)
    # The mean of four values with Student's t of 3 degrees of freedom, 3.1824.
    means = np.mean(leaves, axis=1)
    half = 3.182446 * means.std(ddof=1) / 2
    assert (found.mean.lo, found.mean.hi) == pytest.approx((means.mean() - half, means.mean() + half), rel=1e-6)


def test_the_noise_is_pooled_over_runs_and_shrinks_with_rounds_and_runs() -> None:
    one, two = np.array([0.0, 2.0]), np.array([1.0, 1.0, 1.0])
    noise = within([[one], [two], [one, two]])

    # Squares 2, 0, 2 and 0 of freedom 1, 2, 1 and 2.
    assert noise.freedom == 6
    assert noise.variances == pytest.approx([4 / 6 / 2, 4 / 6 / 3, 4 / 6 * (1 / 2 + 1 / 3) / 4])


def test_what_is_not_known_is_nan() -> None:
    two = combined([1.0, 2.0], known([0.1, 0.1]))
    nothing, alone = combined([], known([])), combined([1.0], known([0.1]))
    without_noise = combined([1.0, 2.0, 3.0], within([[np.array([1.0])], [np.array([2.0])], [np.array([3.0])]]))

    assert (nothing.blocks, nothing.mean.known) == (0, False)
    assert (alone.mean.estimate, alone.mean.known, alone.between.known) == (1.0, False, False)
    assert (two.mean.estimate, two.mean.known, two.between.known) == (1.5, False, False)
    assert two.between.estimate == pytest.approx(math.sqrt(0.5 - 0.1))
    assert math.isnan(without_noise.between.estimate)
    assert without_noise.mean.hi - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t of 2 degrees of freedom


def test_blocks_that_are_equal_do_not_differ_and_the_mean_keeps_the_noise() -> None:
    found = combined([1.0, 1.0, 1.0], known([0.04, 0.04, 0.04]))

    assert (found.between.estimate, found.between.lo) == (0.0, 0.0)
    assert found.mean.hi - 1 == pytest.approx(4.302653 * 0.2 / math.sqrt(3), rel=1e-6)


def test_blocks_without_any_noise_have_their_plain_deviation() -> None:
    found = combined([1.0, 2.0, 3.0], known([0.0, 0.0, 0.0]))

    assert found.between.estimate == pytest.approx(1.0, rel=1e-6)
    assert found.mean.estimate == pytest.approx(2.0)


@pytest.mark.parametrize(("deviation", "rounds"), [(0.05, 3), (0.02, 6), (0.0, 3)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(deviation: float, rounds: int) -> None:
    rng = np.random.default_rng(1)
    held, mean_held, times = 0, 0, 400
    for _ in range(times):
        centres = rng.normal(1.0, deviation, 6)
        blocks = [[rng.normal(centre, 0.03, rounds)] for centre in centres]
        found = combined([float(block[0].mean()) for block in blocks], within(blocks))
        held += found.between.lo <= deviation <= found.between.hi
        mean_held += found.mean.lo <= 1.0 <= found.mean.hi

    # 95 % of 400, and three standard errors; without any deviation the lower end can't be wrong.
    assert held / times >= 0.917
    assert mean_held / times >= 0.917
