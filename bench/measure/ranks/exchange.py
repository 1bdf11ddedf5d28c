"""What a rank exchanges with the others in its steps: what all ways of training in parallel have in common."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bench.measure.clock import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The means of some steps of a rank: each field is a metric of a step."""

    collective: float
    """Seconds in which at least one collective was under way, the wait for slower ranks included."""
    skew: float
    """Seconds in which this rank waited for a slower one."""
    exchanged: float
    """The bytes of what the collectives gathered, averaged or scattered, as a whole."""


class Exchanger(Protocol):
    """Watches what a rank exchanges."""

    @property
    def held_bytes(self) -> int:
        """The bytes that it holds between steps, beside parameters, gradients and the optimizer's state."""

    def watched(self, timeline: Timeline) -> AbstractContextManager[None]:
        """Within, a step is noted, and its exposed communication is a phase on its timeline."""

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
