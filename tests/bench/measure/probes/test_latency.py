"""Latencies of single calls: the percentiles of known values, and what a call's time holds."""

import numpy as np
import pytest

from bench.measure.probes.latency import MOST_CALLS, MOST_S, call_s, calls_s, latencies, percentiles
from bench.measure.workload import Workload
from tests.bench.measure.conftest import PHASE_S, STEP_S, FakeClock


def test_percentiles_are_numpy_s() -> None:
    seconds = list(np.random.default_rng(0).lognormal(size=137))

    assert percentiles(seconds) == pytest.approx({p: np.percentile(seconds, p) for p in (50, 90, 99)})


def test_percentiles_of_a_hundred_and_one_even_calls_are_their_numbers() -> None:
    assert percentiles([float(value) for value in range(100, -1, -1)]) == pytest.approx({50: 50, 90: 90, 99: 99})


@pytest.mark.parametrize(
    ("calls", "known"), [(1, []), (2, [50]), (9, [50]), (10, [50, 90]), (99, [50, 90]), (100, [50, 90, 99])]
)
def test_a_percentile_beyond_which_no_call_should_lie_is_blank(calls: int, known: list[int]) -> None:
    assert list(percentiles([1.0] * calls)) == known


def test_a_call_does_not_count_the_time_in_which_its_batch_is_made(fake_work: Workload, clock: FakeClock) -> None:
    assert call_s(fake_work, clock) == pytest.approx(STEP_S - PHASE_S["data"])
    assert clock.events == ["sync", "step", "sync"]


def test_calls_end_after_their_time(fake_work: Workload, clock: FakeClock) -> None:
    """A step takes more than twice MOST_S."""
    assert STEP_S > MOST_S
    assert len(calls_s(fake_work, clock)) == 1


def test_calls_end_at_their_number(fake_work: Workload, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "pass_s", lambda _seconds: None)

    assert len(calls_s(fake_work, clock)) == MOST_CALLS


def test_each_percentile_says_over_how_many_calls_it_is(
    fake_work: Workload, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.measure.probes.latency.calls_s", lambda *_: [1.0, 3.0] * 10)
    rows = {row.metric: row for row in latencies(fake_work, clock).rows}

    assert {name: row.value for name, row in rows.items()} == {
        "latency_calls": 20, "latency_p50": 2.0, "latency_p90": 3.0,
    }  # fmt: skip
    assert {row.iterations for name, row in rows.items() if name != "latency_calls"} == {20}
    assert {str(row.scope) for row in rows.values()} == {"process"}
