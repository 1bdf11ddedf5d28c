"""What a rank exchanges with the others in its steps: what all ways of training in parallel have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.measure.clock import Timeline
from bench.measure.ranks.peers import Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The means of some steps of a rank: each field is a metric of a step."""

    collective: float
    """Seconds in which at least one collective was under way, the wait for slower ranks included."""
    skew: float
    """Seconds in which this rank waited for a slower one."""
    exchanged: float
    """The bytes of what the collectives gathered, averaged or scattered, as a whole."""


Step = TypeVar("Step")
"""What is noted of a step."""


class Exchanger(ABC, Generic[Step]):
    """Watches what a rank exchanges."""

    def __init__(self, peers: Peers, new_step: Callable[[], Step], held_bytes: int = 0) -> None:
        self.peers = peers
        self.held_bytes = held_bytes
        """What it holds between steps, beside parameters, gradients and the optimizer's state."""
        self._new_step = new_step
        self._timeline: Timeline | None = None
        self._steps: list[Step] = []

    @contextmanager
    def watched(self, timeline: Timeline) -> Iterator[None]:
        """Within, a step is noted, and its exposed communication is a phase on its timeline."""
        self._timeline = timeline
        self._steps.append(self._new_step())
        try:
            yield
        finally:
            self._timeline = None

    @abstractmethod
    def exchange(self) -> Exchange | None:
        """The means of the steps that were watched since the last call; None if there was none.

        All ranks call it together. Their clocks are one: it is the machine's (CLOCK_MONOTONIC).
        """


def union_s(spans_ns: Iterable[tuple[int, int]]) -> float:
    """Seconds that are in at least one of some spans, each a begin and an end in nanoseconds."""
    total_ns, until_ns = 0, 0
    for begin_ns, end_ns in sorted(spans_ns):
        total_ns += max(0, end_ns - max(until_ns, begin_ns))
        until_ns = max(until_ns, end_ns)
    return total_ns / 1e9


def latest(of_ranks: Sequence[Sequence[float]]) -> list[float]:
    """The latest of the times that the ranks give, for each place."""
    return [max(same) for same in zip(*of_ranks, strict=True)]
