"""A check is decided by numbers, and its texts are made of them."""

import csv
import io
import math
from collections.abc import Callable

import pytest

from bench.gpu.checks import Bounds, Check, Status, as_csv, as_json, from_json, judged
from bench.gpu.recorder import Outcome, Recorder


@pytest.mark.parametrize(
    ("bounds", "words", "inside", "outside"),
    [
        (Bounds(lo=0.9, hi=1.1), "0.9 to 1.1", (0.9, 1.1), (0.89, 1.11, math.nan, math.inf)),
        (Bounds(lo=1), "at least 1", (1, 1e9, math.inf), (0.99, math.nan)),
        (Bounds(hi=0), "at most 0", (0, -1), (1, math.nan)),
        (Bounds(lo=7_968_664, hi=7_968_664), "7968664", (7_968_664,), (7_968_665,)),
        (Bounds(), "", (0, -1e9), (math.nan,)),
    ],
)
def test_bounds(bounds: Bounds, words: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    assert bounds.words == words
    assert all(judged(value, bounds, rehearsed=False) is Status.OK for value in inside)
    assert all(judged(value, bounds, rehearsed=False) is Status.FAILED for value in outside)
    assert all(judged(value, bounds, rehearsed=True) is Status.REHEARSED for value in (*inside, *outside))


@pytest.mark.parametrize(
    "check",
    [
        Check(step="s", check="c", bounds=Bounds(lo=1.5), measured=0.5, unit="s", status=Status.FAILED, seconds=1.25),
        Check(step="s", check='a, "b"', status=Status.SKIPPED, reason="one\ntwo"),
    ],
)
def test_a_check_goes_through_json_and_csv(check: Check) -> None:
    row = next(csv.DictReader(io.StringIO(as_csv([check]))))

    assert repr(from_json(as_json(check))) == repr(check)  # NaN differs from itself
    assert row == check.row()
    assert len(as_csv([check]).splitlines()) == 2


def test_what_a_rehearsal_could_not_measure_is_skipped_with_the_reason(
    recorder: Callable[..., Recorder], outcome: Callable[[], Outcome]
) -> None:
    to = recorder(rehearse=True)
    to.check("measured on the CPU", 3.0, Bounds(hi=1))
    to.check("only a GPU has it", math.nan, Bounds(lo=1))
    to.check("the same anywhere", math.nan, Bounds(lo=1), of_gpu=False)
    rows = [check.row() for check in outcome().checks]

    assert [row["status"] for row in rows] == ["rehearsed", "skipped", "failed"]
    assert [row["measured"] for row in rows] == ["3", "", ""]
    assert [bool(row["reason"]) for row in rows] == [False, True, False]


def test_on_a_gpu_a_missing_number_fails(recorder: Callable[..., Recorder], outcome: Callable[[], Outcome]) -> None:
    recorder().check("layers", math.nan, Bounds(lo=1))

    assert [check.status.value for check in outcome().checks] == ["failed"]


def test_what_is_not_known_is_blank() -> None:
    row = Check(step="s", check="c", status=Status.SKIPPED).row()

    assert [row["expected"], row["measured"], row["seconds"]] == ["", "", ""]
