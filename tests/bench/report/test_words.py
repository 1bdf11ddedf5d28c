"""Numbers as a person reads them."""

import math

import pytest

from bench.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (23.44, "23.4"), (1.654, "1.65"), (101_234, "101,000"), (0.0123, "0.0123"), (99.96, "100"),
     (math.nan, ""), (-3.3333, "-3.33")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.384, "1.38 s"), (0.4581, "458 ms"), (3.2e-5, "32.0 \N{MICRO SIGN}s"), (4e-8, "0.0400 \N{MICRO SIGN}s"),
        (0, "0 s"), (math.nan, ""),
    ],
)  # fmt: skip
def test_seconds(value: float, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(7_968_664, "7.60 MiB"), (1536, "1.50 KiB"), (3, "3.00 B"), (0, "0 B"), (2**31, "2.00 GiB")]
)  # fmt: skip
def test_sizes(value: float, text: str) -> None:
    assert words.size(value) == text


def test_shares() -> None:
    assert [words.percent(v) for v in (0.5, 0.004, -0.033, math.nan)] == ["50 %", "0.4 %", "-3.3 %", ""]


def test_intervals() -> None:
    assert words.interval(1.314, 1.266, 1.36) == "1.31 [1.27, 1.36]"
    assert words.interval(1.314, math.nan, math.nan) == "1.31"
    assert words.interval(math.nan, 1, 2) == ""
    assert words.spread_seconds(0.4581, 0.45, 0.4612) == "458 [450, 461] ms"
    assert words.spread_seconds(0.4581, math.nan, math.nan) == "458 ms"
