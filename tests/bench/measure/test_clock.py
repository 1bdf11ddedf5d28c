"""Time is told by one seam, on the host and on CUDA alike."""

import inspect
import itertools
import time
from unittest import mock

import pytest
import torch

from bench.measure.clock import EventClock, HostClock, Timeline
from bench.measure.devices.find import clock_for


def test_the_host_clock_tells_seconds() -> None:
    clock = HostClock()
    start, before = clock.mark(), clock.host_s()
    time.sleep(0.02)
    end, after = clock.mark(), clock.host_s()

    assert 0.02 <= clock.elapsed_s(start, end) < 2
    assert pytest.approx(after - before, abs=0.01) == clock.elapsed_s(start, end)


def test_a_timeline_gives_each_stamp_the_time_until_the_next(clock) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    timeline = Timeline(clock)
    for owner, seconds in (("a", 1.0), ("b", 2.0), ("a", 4.0), ("end", 8.0)):
        timeline.enter(owner)
        clock.pass_s(seconds)

    assert timeline.seconds() == {"a": 5.0, "b": 2.0}
    assert timeline.wall_s() == 7.0
    assert timeline.stamps == 4


def test_the_clock_fits_the_device() -> None:
    assert isinstance(clock_for(torch.device("cpu")), HostClock)


class RecordedEvent:
    """A CUDA event without CUDA: it keeps what was asked of it, in the order of all events."""

    asked: list[str]

    def __init__(self, **options: object) -> None:
        # create_autospec can't check a constructor written in C, so hold the call against its signature.
        inspect.signature(torch.cuda.Event.__new__).bind(torch.cuda.Event, **options)
        assert options == {"enable_timing": True}

    def record(self) -> None:
        self.asked.append("record")

    def elapsed_time(self, end: "RecordedEvent") -> float:
        assert isinstance(end, RecordedEvent)
        self.asked.append("elapsed")
        return 250.0  # milliseconds


def test_the_cuda_clock_only_records_events_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(RecordedEvent, "asked", asked, raising=False)
    for name in ("record", "elapsed_time"):
        assert callable(getattr(torch.cuda.Event, name))
    synchronize = mock.create_autospec(torch.cuda.synchronize, side_effect=lambda _d: asked.append("sync"))
    monkeypatch.setattr(torch.cuda, "Event", RecordedEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)

    clock = EventClock(torch.device("cuda"), prepared=1)
    timeline = Timeline(clock)
    for owner in ("a", "b", "end"):  # the prepared one was recorded once to make it; and more stamps than were prepared
        timeline.enter(owner)
    clock.sync()

    assert timeline.seconds() == {"a": 0.25, "b": 0.25}
    assert asked == ["record"] + ["record"] * 3 + ["sync"] + ["elapsed"] * 2
    synchronize.assert_called_once_with(torch.device("cuda"))


def test_no_event_is_made_in_a_timed_region_where_stamps_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[RecordedEvent] = []

    class Counted(RecordedEvent):
        def __init__(self, **options: object) -> None:
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr(RecordedEvent, "asked", [], raising=False)
    monkeypatch.setattr(torch.cuda, "Event", Counted)
    clock = EventClock(torch.device("cuda"), prepared=8)
    for _ in range(5):
        timeline = Timeline(clock)
        for owner in range(8):
            timeline.enter(owner)
        assert len(timeline.seconds()) == 7
        timeline.give_back()

    assert len(made) == 8


def test_a_spin_is_held_against_the_speed_of_a_warm_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """An H100 rose from 0.35 to 1.98 GHz: a speed read on the way up makes every hold too short."""
    rising_hz = itertools.chain([0.35e9] * 3, [1.2e9, 1.5e9, 1.8e9], itertools.repeat(1.98e9))
    monkeypatch.setattr(EventClock, "_spin", lambda _self: next(rising_hz))
    spun: list[int] = []
    monkeypatch.setattr(torch.cuda, "_sleep", spun.append, raising=False)
    clock = EventClock(torch.device("cuda"), prepared=0)
    clock.hold(0.1)
    clock.hold(0.2)

    assert [198_000_000, 396_000_000] == spun


@pytest.mark.gpu
def test_the_cuda_clock_tells_what_a_kernel_takes() -> None:
    clock = EventClock(torch.device("cuda"))
    clock.hold(0.5)  # its clock rises from idle, and a spin is counted in cycles
    clock.sync()
    times = []
    for cycles in (50_000_000, 100_000_000):
        start = clock.mark()
        torch.cuda._sleep(cycles)
        end = clock.mark()
        assert not clock.reached(end)
        clock.sync()
        assert clock.reached(end)
        times.append(clock.elapsed_s(start, end))

    assert pytest.approx(2, rel=0.1) == times[1] / times[0]


@pytest.mark.gpu
def test_behind_a_backlog_a_chain_of_short_kernels_takes_the_device_s_time() -> None:
    clock = EventClock(torch.device("cuda"))
    clock.hold(0.5)
    spins, took = [20_000] * 20, []
    for held_s in (0.0, 0.01):
        clock.sync()
        if held_s:
            clock.hold(held_s)
        stamps = [clock.mark()]
        for cycles in spins:
            torch.cuda._sleep(cycles)
            stamps.append(clock.mark())
        clock.sync()
        took.append(sorted(clock.elapsed_s(a, b) for a, b in itertools.pairwise(stamps))[len(spins) // 2])

    assert 20_000 / clock._cycles_per_s == pytest.approx(took[1], rel=0.25)
