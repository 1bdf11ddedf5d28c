"""The timer of the suite: the time that a layer takes on a device, behind a backlog, without the host's launching."""

from typing import Any

from bench.measure.clock import Clock, HostClock

BACKLOG = 2.0
"""Before a round a device with a queue is held for this multiple of the host's time for the last round."""


class Stopwatch:
    """A timer that is read twice a round: before the work, when it gives 0, and after it."""

    def __init__(self) -> None:
        self.begin(HostClock())

    def begin(self, clock: Clock) -> None:
        """Begin to time another layer by a clock. Its first round starts from an idle device."""
        self._clock, self._host_s, self._backlog_s = clock, 0.0, 0.0
        self._start: Any = None

    def seconds(self) -> float:
        """0 before the work; after it, the seconds since then in the device's own order of work."""
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
