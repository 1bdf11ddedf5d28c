"""What the parent asks of a worker, and what it answers: JSON, written at one end and checked once at the other.

An unknown field is refused. Both ends are the same version of bench, even where the code that is measured is that of
another tree: a field that one end does not know is damage, or a mistake that must not pass in silence.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import Probe
from bench.core.facts import Bytes, Count, Environment, Name, Number, Some, Text, Word
from bench.core.header import Counts, Inputs, PilotCounts, Seconds, Seed
from bench.core.metrics.sample import Sample


class Trace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many steps to trace, and the folder that takes what the profiler saw."""

    steps: Some
    folder: Word


class Describe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="describe"):
    """Asks what machine and software this is."""


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="trial"):
    """Asks for one trial."""

    variant: dict[str, str]
    """Its axes."""
    inputs: Inputs
    seed: Seed
    """Of weights and batches."""
    probes: tuple[Probe, ...]
    counts: Counts | None = None
    """How many steps to take; None where the trial finds out by itself."""
    pilot_counts: PilotCounts = PilotCounts(plain=1, stamped=0)
    """How many samples such a trial takes."""
    memory_limit_bytes: Bytes | None = None
    tree: Word | None = None
    """The code tree that is measured; None for what is installed."""
    caller: Word | None = None
    """The folder of the call: with a tree, nothing that is measured may come from there."""
    trace: Trace | None = None
    turns: Word | None = None
    """The socket at which the worker asks for its turns; None if it takes none."""


class LayerFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a leaf is and what it gave in the first step: a row of layers.csv, without trial and variant."""

    layer: Name
    block: Word
    type: Name
    output_shape: Word
    parameters: Bytes
    memory_format: Word
    """nchw, nhwc, both (the shape makes them one), other, or empty for what is not an image."""
    dtype: Word
    gradient_format: Word = ""
    """The format of the gradient that came back to its output; empty without one."""
    kernel: Text = ""
    """What took most of its forward: the operator on the CPU, the kernel on CUDA; empty where not looked at."""
    calls: Count = 1
    """How often the step called it; 0 where it never did, and then nothing is known of an output."""
    paths: Text = ""
    """Its attribute paths, by commas, where it has more than one; it is named by the first."""


class MachineState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine did while a trial ran; None for what it does not tell."""

    load_1min: Number | None = None
    steal_s: Number | None = None
    pressure_s: Number | None = None
    involuntary_switches: Number | None = None
    gpu_clock_hz: Number | None = None
    gpu_temperature_c: float | None = None
    gpu_power_w: Number | None = None
    gpu_throttle: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{1,16}$")] | None = None


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a request. Only one that is ok has samples: ValueError for another."""

    cause: Cause | None = None
    """Why it is no plain result."""
    reason: Text = ""
    """The same for people: nothing may depend on it."""
    samples: tuple[Sample, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    state: MachineState = MachineState()
    counts: Counts | None = None
    """How many steps it took, if it timed any."""
    peak_bytes: Bytes | None = None
    """The memory of the device that it took at its peak, if it timed steps and that is known."""
    once_s: Seconds = 0.0
    """Seconds for what only a pilot measures."""
    environment: Environment | None = None
    """The answer to `Describe`."""

    def __post_init__(self) -> None:
        """Raise ValueError if something was measured and the trial is not ok."""
        if self.samples and not self.ok:
            msg = f"a trial that ended as {self.status} has no samples"
            raise ValueError(msg)

    @property
    def status(self) -> Status:
        """How the trial ended."""
        return self.cause.status if self.cause else Status.OK

    @property
    def ok(self) -> bool:
        """Whether it was measured."""
        return self.status is Status.OK


def encoded(message: Describe | Request | Reply) -> bytes:
    """A message as JSON."""
    return msgspec.json.encode(message)


def request_of(content: bytes) -> Describe | Request:
    """The request in a file; msgspec.ValidationError or DecodeError if it is none."""
    return msgspec.json.decode(content, type=Describe | Request)


def reply_of(content: bytes) -> Reply:
    """The reply in a file; msgspec.ValidationError or DecodeError if it is none."""
    return msgspec.json.decode(content, type=Reply)
