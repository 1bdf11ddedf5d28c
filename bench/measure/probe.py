"""What a probe's file exports as `probe` (a `First` or a `Then`), and what goes into it and comes out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.core.exchange.cause import Fault, Status
from bench.core.exchange.messages import LayerFacts, MachineState, Request, Understood
from bench.core.exchange.probe import Probe
from bench.core.header import Counts, Items
from bench.measure.clock import Clock
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from bench.process.turn import ALONE, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a trial measures, by which clock, and when."""

    request: Request
    work: Workload
    clock: Clock
    turn: Turn = ALONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured so far in a trial."""

    samples: Samples
    fault: Fault | None = None
    layers: Sequence[LayerFacts] = ()
    state: MachineState = field(default_factory=MachineState)
    counts: Counts | None = None
    """How many steps were taken, if any were timed."""
    items: Items | None = None
    """The items of a step, if any were timed."""
    peak_bytes: int | None = None
    """The memory of the device that the process took at its peak; None if not known."""
    understood: Understood | None = None
    step_s: float = math.nan
    """The median of the plain steps."""

    @property
    def ok(self) -> bool:
        """Whether the measurement stands."""
        return self.fault is None or self.fault.cause.status is Status.OK

    def plus(self, *more: Samples, **changes: Any) -> "Measured":  # noqa: ANN401 - the fields'
        """A copy with further samples and with these changes."""
        samples = Samples(self.samples.probe)
        samples.add_all([self.samples, *more])
        return replace(self, samples=samples, **changes)


def nothing(_request: Request) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """A probe that comes first in a trial: nothing ran in the process before."""

    name: Probe
    measure: Callable[[Subject], Measured]
    prepare: Callable[[Request], None] = nothing
    """Called before the model is made."""
    checked: bool = True
    """Whether the settings are compared with the variant's before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """A probe that follows another in the same process, after its timed steps."""

    name: Probe
    measure: Callable[[Subject, Measured], Measured]
    once: bool = False
    """Whether only the pilot runs it."""
