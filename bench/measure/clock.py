"""The one seam through which time is read: on the host, by events on a device, or on the host after a wait for it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Takes stamps cheaply, and after `sync` gives the seconds between two of them.

    `sync` waits for the device; it is called before and after a timed region, never inside one.
    `host_s` is the host's own time, whatever the device does.
    """

    waits: bool
    """Whether a stamp waits for the device, so that none may lie within a region whose time is taken."""

    def host_s(self) -> float:
        """Seconds of the host's monotonic clock."""

    def mark(self) -> Any:  # noqa: ANN401 - each clock has a stamp of its own
        """A stamp of this moment in the device's own order of work."""

    def sync(self) -> None:
        """Wait until all work given to the device is done."""

    def elapsed_s(self, start: Any, end: Any) -> float:  # noqa: ANN401
        """Seconds between two stamps taken before the last `sync`."""

    def hold(self, seconds: float) -> None:
        """Keep a device with a queue busy for about `seconds`: the work given to it meanwhile waits."""

    def reached(self, stamp: Any) -> bool:  # noqa: ANN401
        """Whether the device has reached a stamp."""

    def pause(self, seconds: float) -> None:
        """Let `seconds` of the host's time pass."""

    def give_back(self, stamps: Iterable[Any]) -> None:
        """Take back stamps that nobody reads again. They are used again, so a timed region makes none."""


class HostClock:
    """Stamps are times of the host's monotonic clock, in nanoseconds. Work on the CPU is done when its call returns."""

    waits = False
    mark = staticmethod(time.perf_counter_ns)
    host_s = staticmethod(time.perf_counter)
    pause = staticmethod(time.sleep)

    def sync(self) -> None:
        """Nothing to wait for."""

    def elapsed_s(self, start: int, end: int) -> float:
        """Seconds between two stamps."""
        return (end - start) / 1e9

    def hold(self, seconds: float) -> None:
        """Nothing to hold: there is no queue."""

    def reached(self, stamp: int) -> bool:  # noqa: ARG002 - the protocol's
        """True: a stamp is taken when its work is done."""
        return True

    def give_back(self, stamps: Iterable[int]) -> None:
        """Nothing to keep: a stamp is a number."""


class SyncedClock(HostClock):
    """A host's clock whose stamps are each taken after a wait for the device.

    It is for a device without events that can be trusted. A part of a step between two stamps is the time from an idle
    device to an idle device, so it holds what the launch and the wait take. Nothing is held: the next stamp would wait
    for it.
    """

    waits = True

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait

    def mark(self) -> int:
        """The time at which the device is done with all that it was given."""
        self._wait()
        return super().mark()

    def sync(self) -> None:
        """Wait for the device."""
        self._wait()


SPIN_CYCLES = 20_000_000
"""About 10 ms: much longer than an event takes, much shorter than a trial."""
STEADY, RISING, MOST_SPINS = 5, 1.01, 200
"""The clock is steady once a spin is less than a hundredth faster than the fifth before it, or after two seconds."""


class EventClock:
    """Stamps are events on the current stream. They are made in advance, so a stamp only records one.

    torch.cuda and torch.xpu have the same functions for them. A device that can't spin holds nothing.
    """

    waits = False

    def __init__(self, device: torch.device, prepared: int = 4096, *, spins: bool = True) -> None:
        self.device, self.spins = device, spins
        self.torch: Any = torch.get_device_module(device)
        self.host_s = time.perf_counter
        self.pause = time.sleep
        self._free = [self.torch.Event(enable_timing=True) for _ in range(prepared)]
        for event in self._free:  # torch makes the device's event at the first recording
            event.record()

    def mark(self) -> torch.Event:
        """An event recorded now."""
        event: torch.Event = self._free.pop() if self._free else self.torch.Event(enable_timing=True)
        event.record()
        return event

    def sync(self) -> None:
        """Wait for the device."""
        self.torch.synchronize(self.device)

    def elapsed_s(self, start: torch.Event, end: torch.Event) -> float:
        """Seconds between two recorded events."""
        return float(start.elapsed_time(end)) / 1e3

    def hold(self, seconds: float) -> None:
        """Let the device spin for about `seconds`."""
        if self.spins:
            self.torch._sleep(round(seconds * self._cycles_per_s))  # noqa: SLF001 - torch has no other way

    def reached(self, stamp: torch.Event) -> bool:
        """Whether the device has reached an event."""
        return bool(stamp.query())

    def give_back(self, stamps: Iterable[torch.Event]) -> None:
        """Keep events to record them again."""
        self._free.extend(stamps)

    @cached_property
    def _cycles_per_s(self) -> float:
        """Cycles a second of a spin, once they rise no more: the clock of an idle chip takes a while to rise."""
        speeds = [self._spin()]
        while len(speeds) < MOST_SPINS and (len(speeds) <= STEADY or speeds[-1] > RISING * speeds[-1 - STEADY]):
            speeds.append(self._spin())
        return speeds[-1]

    def _spin(self) -> float:
        """Cycles a second of one spin."""
        start = self.mark()
        self.torch._sleep(SPIN_CYCLES)  # noqa: SLF001
        end = self.mark()
        self.sync()
        speed = SPIN_CYCLES / self.elapsed_s(start, end)
        self.give_back((start, end))
        return speed


class Timeline:
    """Who had the time: a stamp says whose time begins there, and the next stamp ends it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.phase = ""
        """The phase under way, whatever layer has the time."""
        self._stamps: list[tuple[Any, Any]] = []
        self._phases: list[str] = []

    def begin(self, phase: str) -> None:
        """From now on the step is in a phase, and the time is no layer's."""
        self.phase = phase
        self.enter(("", phase))

    @contextmanager
    def aside(self, phase: str) -> Iterator[None]:
        """Within, the step is in another phase; after it, the phase and the owner of before go on."""
        before, owner = self.phase, self.owner
        self.begin(phase)
        try:
            yield
        finally:
            self.phase = before
            self.enter(owner)

    def enter(self, owner: Any) -> None:  # noqa: ANN401 - a phase's name, or a layer with its phase
        """From now on the time is `owner`'s."""
        self._stamps.append((owner, self.clock.mark()))
        self._phases.append(self.phase)

    def give(self, stamp: int, owner: Any) -> None:  # noqa: ANN401
        """Give the time that began at a stamp (by its number, from 0) to another `owner`."""
        self._stamps[stamp] = (owner, self._stamps[stamp][1])

    @property
    def owner(self) -> Any:  # noqa: ANN401
        """Whose time it is now; None before the first stamp."""
        return self._stamps[-1][0] if self._stamps else None

    @property
    def waiting(self) -> bool:
        """Whether the device has not reached the first stamp yet."""
        return not self.clock.reached(self._stamps[0][1])

    @property
    def stamps(self) -> int:
        """How many stamps were taken."""
        return len(self._stamps)

    @property
    def path(self) -> tuple[Any, ...]:
        """The owners in the order of their turns: a step that runs other layers has another path."""
        return tuple(owner for owner, _ in self._stamps)

    def seconds(self) -> dict[Any, float]:
        """Seconds of each owner, summed over its turns. Call after `clock.sync`.

        The last stamp only ends the one before it: its owner gets nothing for it.
        """
        return self._summed([owner for owner, _ in self._stamps])

    def phase_seconds(self) -> dict[str, float]:
        """Seconds of each phase, whichever layers had the time in it. Call after `clock.sync`."""
        return self._summed(self._phases)

    def _summed(self, keys: list[Any]) -> dict[Any, float]:
        total: dict[Any, float] = {}
        for key, (_, start), (_, end) in zip(keys, self._stamps, self._stamps[1:], strict=False):
            total[key] = total.get(key, 0.0) + self.clock.elapsed_s(start, end)
        return total

    def wall_s(self) -> float:
        """Seconds from the first stamp to the last. Call after `clock.sync`."""
        return self.clock.elapsed_s(self._stamps[0][1], self._stamps[-1][1])

    def give_back(self) -> None:
        """Give the clock its stamps back. Nothing can be read after that."""
        self.clock.give_back(stamp for _, stamp in self._stamps)
        self._stamps, self._phases = [], []
