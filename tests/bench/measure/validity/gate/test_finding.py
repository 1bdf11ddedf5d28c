"""How far a result is off, compared with a yardstick, and the words for it."""

import math

import pytest
import torch

from bench.measure.validity.borders import Border
from bench.measure.validity.gate.finding import Finding, Miss, Yardstick, finding, words


def test_a_miss_is_a_distance_and_what_of_it_lies_along_the_reference() -> None:
    exact = torch.tensor([3.0, 4.0])

    assert Miss.of(exact * 1.5, exact) == Miss(2.5, 5.0, 2.5, 2)
    assert Miss.of(torch.tensor([3.0 - 4.0, 4.0 + 3.0]), exact) == Miss(5.0, 5.0, 0.0, 2)
    assert Miss.of(exact * 8, exact, scale=8.0).distance == 0


@pytest.mark.parametrize(
    ("miss", "share", "by_a_factor"),
    [
        (Miss(2.0, 100.0, 0.0, 1000), 0.5, False),  # half of four yardsticks
        (Miss(1.0, 100.0, 1.0, 1000), 1.0, True),  # all of it a factor, of which a quarter is allowed
        (Miss(1.0, 100.0, 1.0, 1), 0.25, False),  # a single number has no direction
        (Miss(math.nan, 100.0, 0.0, 1000), math.inf, False),
    ],
)
def test_what_is_off_is_compared_with_the_yardstick(miss: Miss, share: float, by_a_factor: bool) -> None:
    worst = finding(("parameter", "w"), miss, Yardstick(distance=1.0, along=0.0))

    assert worst.share == pytest.approx(share)
    assert worst.by_a_factor == by_a_factor


def test_a_gradient_that_is_exactly_0_is_compared_with_what_rounding_leaves_of_it() -> None:
    """As that of a bias before a batch norm."""
    worst = finding(("parameter", "bias"), Miss(2.0, 0.0, 0.0, 8), Yardstick(distance=1.0, along=0.0))

    assert (worst.error, worst.bound) == (2.0, 4.0)
    assert finding(("parameter", "b"), Miss(1.0, 0.0, 0.0, 8), Yardstick(0.0, 0.0)).share == math.inf
    assert finding(("parameter", "b"), Miss(0.0, 0.0, 0.0, 8), Yardstick(0.0, 0.0)).share == 0


def test_a_yardstick_is_the_largest_of_several_and_at_least_half_a_grain() -> None:
    misses = [Miss(1.0, 100.0, 0.5, 9), Miss(3.0, 100.0, 0.1, 9)]

    assert Yardstick.of(0.001, misses) == Yardstick(distance=3.0, along=0.5)
    assert Yardstick.of(0.1, misses).distance == 10.0


def test_a_yardstick_grows_by_what_plain_code_misses_but_not_beyond_rounding() -> None:
    small = Yardstick(distance=1.0, along=0.1)

    assert small.widened([]) == small.widened([Miss(0.5, 100.0, 0.05, 9)]) == small
    assert small.widened([Miss(20.0, 100.0, 10.0, 9), Miss(2.0, 100.0, 0.2, 9)]) == Yardstick(distance=20.0, along=10.0)
    assert small.widened([Miss(1000.0, 100.0, 1000.0, 9)]) == Yardstick(distance=128.0, along=32.0)


def test_what_is_off_is_named() -> None:
    names = [
        words(key)
        for key in (
            ("value", Border("a.0", 0, "output", ())), ("gradient", Border("a.0", 0, "input", (0,))),
            ("value", Border("", 0, "output", ())), ("parameter", "a.0.weight"),
        )
    ]  # fmt: skip

    assert names == ["the output of a.0", "the gradient of the input of a.0", "the scores", "gradients of a.0.weight"]


@pytest.mark.parametrize(
    ("many", "by_a_factor", "sentence"),
    [
        (False, False, "w differs from float64 by 2.0e-01 of its size; rounding explains 1.0e-03"),
        (True, False, "w differ from float64 by 2.0e-01 of its size; rounding explains 1.0e-03"),
        (False, True, "w is off by a factor, by 2.0e-01 of its size; rounding explains 1.0e-03"),
        (True, True, "w are off by a factor, by 2.0e-01 of its size; rounding explains 1.0e-03"),
    ],
)
def test_how_a_result_is_off_is_a_sentence(many: bool, by_a_factor: bool, sentence: str) -> None:
    assert Finding(what="w", many=many, error=0.2, bound=0.001, by_a_factor=by_a_factor).sentence == sentence
