"""The timer of the suite: what a layer takes a device, behind a backlog, and not what launching it takes the host."""

from typing import Any

from bench.measure.clock import Clock, HostClock

BACKLOG = 2.0
"""Of what the last round took the host: how long a device with a queue is held before a round."""


class Stopwatch:
    """A timer that is asked twice a round: before the work, where it tells 0, and behind it."""

    def __init__(self) -> None:
        self.begin(HostClock())

    def begin(self, clock: Clock) -> None:
        """Time the rounds of another layer by a clock. Its first round starts from an idle device."""
        self._clock, self._host_s, self._backlog_s = clock, 0.0, 0.0
        self._start: Any = None

    def seconds(self) -> float:
        """0 before the work; behind it, seconds since then in the device's own order of work."""
        if self._start is None:
            self._clock.sync()
            self._clock.hold(self._backlog_s)
            self._host_s, self._start = self._clock.host_s(), self._clock.mark()
            return 0.0
        start, end = self._start, self._clock.mark()
        self._backlog_s = BACKLOG * (self._clock.host_s() - self._host_s)
        self._start = None
        self._clock.sync()
        seconds = self._clock.elapsed_s(start, end)
        self._clock.give_back((start, end))
        return seconds


stopwatch = Stopwatch()
