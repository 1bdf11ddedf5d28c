"""The timer of the micro suite reads what the device takes, whoever is slower."""

import pytest

from bench.micro.stopwatch import Stopwatch
from tests.bench.measure.conftest import FakeClock
from tests.bench.measure.queue_clock import QueueClock

US = 1e-6


def rounds(stopwatch: Stopwatch, clock: QueueClock, host_us: float, device_us: float) -> list[float]:
    """Microseconds of four rounds of one launch, as pytest-benchmark times them: by a timer at both ends."""
    found = []
    for _ in range(4):
        start = stopwatch.seconds()
        clock.launch(host_us * US, device_us * US)
        found.append(round((stopwatch.seconds() - start) / US, 3))
    return found


@pytest.mark.parametrize(("host_us", "device_us"), [(50, 5), (5, 50)])
def test_a_layer_reads_its_device_time_in_every_round_but_the_first(host_us: float, device_us: float) -> None:
    clock = QueueClock()
    stopwatch = Stopwatch()
    stopwatch.begin(clock)
    first, *others = rounds(stopwatch, clock, host_us, device_us)

    assert first == host_us + device_us  # from an idle device; it warms up
    assert others == [device_us] * 3


def test_a_round_that_failed_leaves_the_next_layer_s_alone() -> None:
    clock = QueueClock()
    stopwatch = Stopwatch()
    stopwatch.begin(clock)
    stopwatch.seconds()  # and its layer fails
    stopwatch.begin(clock)

    assert rounds(stopwatch, clock, 50, 5)[1:] == [5] * 3


def test_on_a_host_it_tells_what_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(clock, "hold", lambda _seconds: None)  # nothing to hold
    stopwatch = Stopwatch()
    stopwatch.begin(clock)
    start = stopwatch.seconds()
    clock.pass_s(2.5)

    assert stopwatch.seconds() - start == 2.5
