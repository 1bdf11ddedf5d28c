"""The least time at the roofs, and which roof is nearer."""

import math

import pytest

from bench.analyse.tables.roofline import UNKNOWN, AtRoof, Bound, Part, Roofs, at_roof, folded, known, unknown_share

TYPES = ("float32", "bfloat16")


ROOFS = Roofs(
    flops={"float32": 100.0, "bfloat16": 400.0},
    bytes={"copy": 10.0, "read": 20.0, "cached copy": 1000.0},
    spread={},
)


@pytest.mark.parametrize(
    ("flops", "half", "least", "seconds", "bound"),
    [
        (200.0, 0.0, 20.0, 2.0, Bound.COMPUTE),
        (200.0, 200.0, 2.0, 0.5, Bound.COMPUTE),
        (300.0, 200.0, 2.0, 1.5, Bound.COMPUTE),
        (200.0, 0.0, 60.0, 3.0, Bound.MEMORY),
        (0.0, 0.0, 60.0, 3.0, Bound.MEMORY),
    ],
)
def test_work_takes_as_long_as_the_roof_that_is_nearer(
    flops: float, half: float, least: float, seconds: float, bound: Bound
) -> None:
    """A cache's roof is none: layers do not fit it."""
    assert at_roof(ROOFS, TYPES, flops, half, least) == AtRoof(seconds=seconds, bound=bound)


def test_work_in_a_type_without_a_roof_has_no_least_time() -> None:
    assert math.isnan(at_roof(ROOFS, ("float32", "float16"), 1.0, 1.0, 1.0).seconds)
    assert math.isnan(at_roof(ROOFS, TYPES, math.nan, 0.0, 1.0).seconds)


def test_no_work_takes_no_time_and_is_bound_by_nothing() -> None:
    assert at_roof(ROOFS, TYPES, 0.0, 0.0, 0.0) == AtRoof(seconds=0.0, bound=None)


def test_the_share_of_time_whose_work_is_not_known() -> None:
    parts = [
        Part(layer="a", phase="forward", took_s=took_s, flops=1.0, least_bytes=1.0, at_roof=at)
        for took_s, at in ((3.0, AtRoof(seconds=1.0, bound=None)), (1.0, UNKNOWN))
    ]

    assert known(parts) == parts[:1]
    assert unknown_share(parts) == 0.25


def test_blocks_of_one_shape_are_one_part() -> None:
    parts = [
        Part(
            layer=f"b.{number}", phase="forward", took_s=2.0 + number, flops=3.0, least_bytes=4.0,
            at_roof=AtRoof(seconds=1.0 + number, bound=bound),
        )
        for number, bound in enumerate((Bound.COMPUTE, Bound.MEMORY))
    ]  # fmt: skip
    [part] = folded(parts, {"b.0": "b.*", "b.1": "b.*"})

    assert (part.layer, part.took_s, part.flops, part.least_bytes) == ("b.*", 5.0, 6.0, 8.0)
    assert part.at_roof == AtRoof(seconds=3.0, bound=Bound.MEMORY)
    assert (part.over_s, part.share) == (2.0, 0.6)
