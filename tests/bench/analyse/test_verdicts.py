"""The words, at their borders."""

import math

import pytest

from bench.analyse.stats import NOTHING, Interval
from bench.analyse.verdicts import (
    FASTER,
    SAME,
    SLOWER,
    UNDECIDED,
    Control,
    delta_of,
    smallest_seen,
    verdict,
)


def ratio(lo: float, hi: float) -> Interval:
    return Interval(estimate=math.sqrt(lo * hi) if lo > 0 else math.nan, lo=lo, hi=hi)


@pytest.mark.parametrize(
    ("interval", "word"),
    [
        (ratio(1.031, 1.2), FASTER),
        (ratio(1.03, 1.2), UNDECIDED),
        (ratio(0.8, 0.970), SLOWER),
        (ratio(0.8, 0.971), UNDECIDED),
        (ratio(0.972, 1.029), SAME),
        (ratio(0.960, 1.029), UNDECIDED),
        (ratio(0.972, 1.031), UNDECIDED),
        (ratio(0.9, 1.1), UNDECIDED),
        (NOTHING, UNDECIDED),
    ],
)
def test_a_word_needs_the_whole_interval(interval: Interval, word: str) -> None:
    assert verdict(interval, rounds=12, delta=0.03) == word


def test_under_six_rounds_nothing_is_decided() -> None:
    assert verdict(ratio(2, 3), rounds=5, delta=0.03) == UNDECIDED
    assert verdict(ratio(2, 3), rounds=6, delta=0.03) == FASTER


def test_the_change_that_matters_is_declared_by_device() -> None:
    assert (delta_of("cpu"), delta_of("cuda"), delta_of("cuda:1")) == (0.03, 0.02, 0.02)


def test_a_declared_change_holds_on_every_device() -> None:
    assert (delta_of("cpu", 0.05), delta_of("cuda", 0.05)) == (0.05, 0.05)


def test_the_effect_that_four_runs_of_five_see() -> None:
    # Half-width 1.96 standard errors: by the normal law 80 % power needs delta and 2.80 of them.
    assert smallest_seen(ratio(math.exp(-0.0196), math.exp(0.0196)), 0.03) == pytest.approx(0.03 + 0.02802, abs=1e-5)


@pytest.mark.parametrize(("lo", "hi", "noisy"), [(1.04, 1.2, True), (0.9, 0.95, True), (0.97, 1.2, False)])
def test_identical_code_that_differs_is_noise(lo: float, hi: float, noisy: bool) -> None:
    control = Control(variant_id="v", device="cpu", ratio=ratio(lo, hi), rounds=9, delta=0.03)

    assert control.noisy == noisy
