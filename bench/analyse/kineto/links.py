"""Which operator, and which call of the runtime, launched what ran on a device."""

from dataclasses import dataclass

import numpy as np

from bench.analyse.kineto import nesting
from bench.analyse.kineto.reading.events import DEVICE_WORK, UNKNOWN, Category, Events, Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of one kind, nested within each other on their threads. Arrays have a value a call."""

    event: Integers
    thread: Integers
    begin_ns: Integers
    end_ns: Integers
    parent: Integers
    """The call that each is within; UNKNOWN if in none."""

    @classmethod
    def of(cls, events: Events, chosen: Integers) -> "Calls":
        """The calls that some events are."""
        thread, begin, end = events.thread[chosen], events.begin_ns[chosen], events.end_ns[chosen]
        parent = nesting.parents(thread, begin, end)
        return cls(event=chosen, thread=thread, begin_ns=begin, end_ns=end, parent=parent)

    @property
    def own_ns(self) -> Integers:
        """The time of each without the calls within it."""
        return nesting.own(self.parent, self.begin_ns, self.end_ns)

    def with_inner(self, values: Integers) -> Integers:
        """Each call's value with those of all calls within it."""
        return nesting.with_inner(values, self.parent, nesting.in_order(self.thread, self.begin_ns, self.end_ns))

    def at(self, threads: Integers, moments_ns: Integers) -> Integers:
        """The innermost call at each moment on a thread; UNKNOWN if there is none."""
        return nesting.innermost((self.thread, self.begin_ns, self.end_ns), threads, moments_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What ran on a device. Arrays have a value for each."""

    event: Integers
    duration_ns: Integers
    launch: Integers
    """The event of the call that launched it; UNKNOWN if the trace does not say."""
    operator: Integers
    """The place among the operators of the one that launched it; UNKNOWN if none did."""


def launched(events: Events, operators: Calls) -> Launched:
    """What ran on a device, with who launched it.

    The operator is the one whose number (`External id`) the work or its launch has. If that number is no operator's, it
    is the innermost operator that was under way on the launching thread.
    """
    work, runtime = events.of(*DEVICE_WORK), events.of(Category.RUNTIME)
    launch = matched(events.correlation[runtime], runtime, events.correlation[work])
    known = np.flatnonzero(launch != UNKNOWN)
    places = np.arange(len(operators.event))
    operator = matched(events.external[operators.event], places, events.external[work])
    by_launch = np.full(len(work), UNKNOWN, dtype=np.int64)
    by_launch[known] = matched(events.external[operators.event], places, events.external[launch[known]])
    operator = np.where(operator == UNKNOWN, by_launch, operator)
    open_ones = known[operator[known] == UNKNOWN]
    calls = launch[open_ones]
    operator[open_ones] = operators.at(events.thread[calls], events.begin_ns[calls])
    return Launched(event=work, duration_ns=events.duration_ns[work], launch=launch, operator=operator)


def matched(keys: Integers, values: Integers, wanted: Integers) -> Integers:
    """For each wanted key the value that has it; UNKNOWN if none has, or if it is 0 or less, which is no number."""
    real = keys > 0
    by_key = dict(zip(keys[real].tolist(), values[real].tolist(), strict=True))
    return np.array([by_key.get(key, UNKNOWN) for key in wanted.tolist()], dtype=np.int64)


def at_host(events: Events, operators: Calls, work: Launched) -> tuple[Integers, Integers, Integers]:
    """The work with a known place on the host, and its thread and moment: those of its launch, or its operator's."""
    known = np.flatnonzero((work.operator != UNKNOWN) | (work.launch != UNKNOWN))
    if not len(operators.event):
        place = work.launch[known]
    else:
        of_operator = operators.event[work.operator[known]]
        place = np.where(work.launch[known] != UNKNOWN, work.launch[known], of_operator)
    return known, events.thread[place], events.begin_ns[place]
