"""Roofs on a clock that only planted waits move."""

from typing import cast

import pytest
import torch

from bench.measure.clock import Clock
from bench.measure.work import roofs
from bench.measure.work.roofs import SAMPLES, Piece, fastest, measured, rates, types_of
from tests.bench.measure.conftest import FakeClock

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def without_queue(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host has no queue, so nothing is held."""
    monkeypatch.setattr(clock, "hold", lambda _seconds: None)


def taking(clock: FakeClock, seconds: float, work: float) -> Piece:
    """A piece that takes some seconds of the clock."""
    return Piece(lambda: clock.pass_s(seconds), work)


def test_a_rate_is_the_work_of_a_sample_over_its_seconds(clock: FakeClock) -> None:
    assert rates(taking(clock, 0.125, 30.0), cast("Clock", clock)) == [240.0] * SAMPLES


def test_a_piece_that_takes_long_has_few_samples_and_the_pieces_after_it_none(clock: FakeClock) -> None:
    pieces = [taking(clock, seconds, 8.0) for seconds in (4.0, 0.125)]

    assert rates(pieces[0], cast("Clock", clock)) == [2.0]
    assert fastest(iter(pieces), cast("Clock", clock)) == [2.0]


def test_short_calls_are_taken_together_until_a_sample_lasts_long_enough(clock: FakeClock) -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        clock.pass_s(0.001)

    assert rates(Piece(call, 1.0), cast("Clock", clock)) == pytest.approx([1000.0] * SAMPLES)
    assert len(calls) == 2 + SAMPLES * 20


def test_the_fastest_shape_is_the_roof(clock: FakeClock) -> None:
    pieces = [taking(clock, seconds, 1.0) for seconds in (0.125, 0.0625, 0.25)]

    assert fastest(pieces, cast("Clock", clock)) == [16.0] * SAMPLES


@pytest.mark.parametrize(
    ("speed", "types"),
    [
        ({torch.bfloat16: 4.0, torch.float16: 0.6}, ["float32", "bfloat16", "float16"]),
        ({torch.bfloat16: 0.1, torch.float16: 0.4}, ["float32"]),
    ],
)
def test_a_type_without_instructions_has_no_roof(
    speed: dict[torch.dtype, float], types: list[str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roofs, "product", lambda _device, dtype, _size: taking(clock, 1.0, speed.get(dtype, 1.0)))

    assert types_of(CPU, cast("Clock", clock)) == types


def test_each_roof_has_its_samples_and_half_of_their_range(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofs, "types_of", lambda *_: ["float32"])
    monkeypatch.setattr(roofs, "products", lambda *_: [taking(clock, 1.0, 1.0)])
    monkeypatch.setattr(roofs, "ways", lambda _: [("copy", taking(clock, 1.0, 1.0))])
    monkeypatch.setattr(roofs, "rates", lambda *_: [8.0, 10.0, 12.0])
    rows = measured(CPU, cast("Clock", clock)).rows

    assert [(row.metric, row.phase, row.value) for row in rows] == [
        *(("roof_flops", "float32", rate) for rate in (8.0, 10.0, 12.0)), ("roof_spread", "float32", 0.2),
        *(("roof_bytes", "copy", rate) for rate in (8.0, 10.0, 12.0)), ("roof_spread", "copy", 0.2),
    ]  # fmt: skip


def test_a_product_and_a_convolution_name_their_work() -> None:
    """A multiplication and an addition for each number of one factor and column of the other."""
    assert roofs.product(CPU, torch.float32, 8).work == 2 * 8**3
    assert roofs.convolution(CPU, torch.float32, (2, 3, 5, 8, 3), torch.channels_last).work == 2 * 2 * 3 * 5 * 64 * 9
