"""What the parent asks of a worker, and what the worker answers: JSON, which the reader checks once.

An unknown field is refused. Both ends are the same version of bench, even if the code that is measured comes from
another tree. So a field that one end does not know is damage, or a mistake that must not pass in silence.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import Probe
from bench.core.facts import Bytes, Count, Environment, Name, Number, PositiveCount, Text, Word
from bench.core.header import Counts, Inputs, Items, PilotCounts, Seconds, Seed
from bench.core.metrics.sample import Sample


class Trace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many steps to trace, and the folder for what the profiler writes."""

    steps: PositiveCount
    folder: Word


class Describe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="describe"):
    """Asks what machine and software this is."""


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="trial"):
    """Asks for one trial."""

    variant: dict[str, str]
    """The text of each axis."""
    inputs: Inputs
    seed: Seed
    """Seed of weights and batches."""
    probes: tuple[Probe, ...]
    counts: Counts | None = None
    """How many steps to take; None if the trial decides by itself."""
    pilot_counts: PilotCounts = PilotCounts(plain=1, stamped=0)
    """How many samples a trial without `counts` takes."""
    hopeless_s: Seconds | None = None
    """A trial whose first step takes longer ends there; None for one that goes on in any case."""
    memory_limit_bytes: Bytes | None = None
    tree: Word | None = None
    """The code tree that is measured; None for what is installed."""
    caller: Word | None = None
    """The folder in which the user called. With a tree, nothing that is measured may come from there."""
    trace: Trace | None = None
    turns: Word | None = None
    """The socket at which the worker asks for its turns; None if it takes no turns."""
    references: Word | None = None
    """The folder for what the numerics gate computes once for all variants of a code tree; None to store nothing."""


class LayerFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a leaf is and what it returned in the first step: a row of layers.csv without trial and variant."""

    layer: Name
    block: Word
    type: Name
    output_shape: Word
    parameters: Bytes
    memory_format: Word
    """nchw, nhwc, both (for this shape they are the same), other, or empty if the output is no image."""
    dtype: Word
    gradient_format: Word = ""
    """The format of its output's gradient; empty without one."""
    kernel: Text = ""
    """The operator (on the CPU) or kernel (on CUDA) that took most of its forward; empty if that was not measured."""
    calls: Count = 1
    """How often the step called it. If 0, nothing is known of its output."""
    paths: Text = ""
    """Its attribute paths with commas between them, if it has more than one. `layer` is the first."""


class MachineState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the machine did while a trial ran; None for what is unknown."""

    load_1min: Number | None = None
    steal_s: Number | None = None
    pressure_s: Number | None = None
    involuntary_switches: Number | None = None
    gpu_clock_hz: Number | None = None
    gpu_temperature_c: float | None = None
    gpu_power_w: Number | None = None
    gpu_throttle: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{1,16}$")] | None = None


class Understood(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker makes of the name of a model or a task."""

    form: Literal["classifier", "task", "own step", "own loop"]
    owned: tuple[Word, ...]
    """The axes that the task decides itself."""


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to a request. Raises ValueError if it is not ok and has samples."""

    cause: Cause | None = None
    """Why it is no plain result; None if it is one."""
    reason: Text = ""
    """The same in words for people. Nothing may depend on it."""
    samples: tuple[Sample, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    state: MachineState = MachineState()
    counts: Counts | None = None
    """How many steps it took; None if it timed none."""
    items: Items | None = None
    """The items of a step; None if it timed no steps."""
    peak_bytes: Bytes | None = None
    """The peak memory that it took on the device; None if it timed no steps, or if that is unknown."""
    once_s: Seconds = 0.0
    """Seconds for what a pilot alone measures."""
    understood: Understood | None = None
    """What was made of the model's name, if it was only tried."""
    environment: Environment | None = None
    """The answer to `Describe`."""

    def __post_init__(self) -> None:
        """Raises ValueError if something was measured and the trial is not ok."""
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
    """The request in a file. Raises msgspec.ValidationError or DecodeError if it is none."""
    return msgspec.json.decode(content, type=Describe | Request)


def reply_of(content: bytes) -> Reply:
    """The reply in a file. Raises msgspec.ValidationError or DecodeError if it is none."""
    return msgspec.json.decode(content, type=Reply)
