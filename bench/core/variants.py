"""Variant, its axes and its id. No torch here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bench.core.axes import batch_size as batch_sizes
from bench.core.axes.allocator import ALLOCATOR
from bench.core.axes.axis import UNSET, Axis, Value
from bench.core.axes.compile_mode import COMPILE_MODE
from bench.core.axes.cudnn_benchmark import CUDNN_BENCHMARK
from bench.core.axes.device import DEVICE
from bench.core.axes.kind import Kind, kind_of
from bench.core.axes.loader import LOADER
from bench.core.axes.memory_format import MEMORY_FORMAT
from bench.core.axes.mode import MODE
from bench.core.axes.model import MODEL
from bench.core.axes.optimizer import OPTIMIZER
from bench.core.axes.parallel import FSDP, PARALLEL
from bench.core.axes.precision import PRECISION
from bench.core.axes.sync import SYNC
from bench.core.axes.threads import THREADS
from bench.core.axes.world_size import WORLD_SIZE

LARGEST = batch_sizes.LARGEST


class UsageError(ValueError):
    """An option can't be met. The text says which, and what to do."""


class VariantError(UsageError):
    """An axis, value or variant id is unknown. The text lists what exists."""


def of(axis: Axis[Any]) -> Any:  # noqa: ANN401 - the field's own type stands beside it
    """A field of Variant for this axis, with the axis's default."""
    return field(default=axis.parse(axis.default), metadata={"axis": axis})


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One point of the matrix: a value for each axis."""

    device: str = of(DEVICE)
    precision: str = of(PRECISION)
    memory_format: str = of(MEMORY_FORMAT)
    compile_mode: str = of(COMPILE_MODE)
    batch_size: int | str = of(batch_sizes.BATCH_SIZE)
    """Images per step, or `max`: as many as fit."""
    mode: str = of(MODE)
    loader: str = of(LOADER)
    sync: str = of(SYNC)
    optimizer: str = of(OPTIMIZER)
    cudnn_benchmark: str = of(CUDNN_BENCHMARK)
    threads: int | None = of(THREADS)
    world_size: int = of(WORLD_SIZE)
    """How many processes train together."""
    parallel: str = of(PARALLEL)
    """How they share the training."""
    allocator: str = of(ALLOCATOR)
    model: str = of(MODEL)

    def __post_init__(self) -> None:
        """Raises VariantError if an axis does not have its value."""
        for name, text in as_row(self).items():
            parse_value(name, text)

    @property
    def id(self) -> str:
        """The values of five axes, then of every other that is not at its default: `cpu-fp32-nhwc-eager-b32-kept`."""
        pairs = ((AXES[name], text) for name, text in as_row(self).items())
        return "-".join(axis.mark.format(text) for axis, text in pairs if axis.always_in_id or text != axis.default)

    @property
    def values(self) -> dict[str, Value]:
        """The Value of each axis."""
        return {name: AXES[name].value(text) for name, text in as_row(self).items()}

    @property
    def baseline(self) -> "Variant":
        """What this variant is compared with: every axis at its default but device, batch, mode and model."""
        return Variant(**{name: getattr(self, name) for name, axis in AXES.items() if axis.in_baseline})

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline of its device, batch, mode and model."""
        return all(
            getattr(self, field.name) == field.default for field in fields(self) if not AXES[field.name].in_baseline
        )

    @property
    def is_notebook(self) -> bool:
        """Whether this is the notebook's loop: PIL loader, `.item()` at every step, all else default."""
        return self == replace(self.baseline, **NOTEBOOK)  # type: ignore[arg-type] # two axes of text

    @property
    def is_own_model(self) -> bool:
        """Whether its model comes from the user's own code, which is imported by name."""
        return ":" in self.model and not self.model.startswith("torchvision.models:")

    @property
    def infers(self) -> bool:
        """Whether its steps only call the model, and train nothing."""
        return MODE.value(self.mode).infers

    @property
    def why_no_inference(self) -> str:
        """Which of its values would change nothing in inference, in words; empty if it trains, or if there is none."""
        idle = (n for n in AXES if self.infers and AXES[n].of_training and getattr(self, n) != DEFAULTS[n])
        return next((f"{AXES[n].of_training}: {n}={getattr(self, n)} changes nothing" for n in idle), "")

    @property
    def kind(self) -> Kind:
        """The kind of device that it runs on."""
        return kind_of(self.device)

    @property
    def why_no_ranks(self) -> str:
        """Which of its values can't be measured in as many processes as it has, in words; empty if all can."""
        shares = self.parallel == FSDP
        if self.world_size == DEFAULTS["world_size"]:
            return f"one process has nothing to share: parallel={FSDP} changes nothing" if shares else ""
        if shares and self.memory_format != DEFAULTS["memory_format"]:
            return "fully_shard takes contiguous parameters only, and channels_last ones are not"
        reasons = {
            "a compiled model": self.compiled,
            "a loader with processes of its own": self.loads_in_processes,
            "the largest batch": self.batch_size == LARGEST,
        }
        return next((f"{name} is measured in one process alone" for name, has in reasons.items() if has), "")

    @property
    def on_cuda(self) -> bool:
        """Whether it runs on a CUDA device."""
        return self.device.startswith("cuda")

    @property
    def compiled(self) -> bool:
        """Whether torch compiles its model. If not, its layers run one by one and can have hooks."""
        return COMPILE_MODE.value(self.compile_mode).compiles

    @property
    def tunes(self) -> bool:
        """Whether compiling tries several kernels and takes the fastest."""
        return COMPILE_MODE.value(self.compile_mode).tunes

    @property
    def replays(self) -> bool:
        """Whether its steps replay CUDA graphs that were recorded before."""
        return self.on_cuda and COMPILE_MODE.value(self.compile_mode).graphs

    @property
    def reads_each_step(self) -> bool:
        """Whether it reads loss and hits at every step, and so waits for its device."""
        return SYNC.value(self.sync).waits

    @property
    def scaled(self) -> bool:
        """Whether a GradScaler scales its loss."""
        return PRECISION.value(self.precision).scaled and not self.infers

    @property
    def waits_for_scaler(self) -> bool:
        """Whether its host would wait for a GradScaler if it had one."""
        return OPTIMIZER.value(self.optimizer).waits_for_scaler

    @property
    def loads_on_device(self) -> bool:
        """Whether its batches are made on the device that trains."""
        return LOADER.value(self.loader).on_device

    @property
    def loads_in_processes(self) -> bool:
        """Whether processes of their own make its batches."""
        return LOADER.value(self.loader).processes

    @property
    def queues(self) -> bool:
        """Whether its host can queue whole steps on a device that is busy with something else."""
        waits = self.reads_each_step or (self.scaled and self.waits_for_scaler)
        return self.kind.held and self.loads_on_device and not waits


AXES: dict[str, Axis[Any]] = {each.name: each.metadata["axis"] for each in fields(Variant)}
DEFAULTS = {each.name: each.default for each in fields(Variant)}
NOTEBOOK = {"loader": "notebook", "sync": "step"}


def parse_value(name: str, text: str) -> str | int | None:
    """The value of an axis from its text. Raises VariantError that says what the axis has."""
    if name not in AXES:
        msg = f"unknown axis {name!r}: the axes are {', '.join(AXES)}"
        raise VariantError(msg)
    if not re.fullmatch(AXES[name].regex(), text):
        msg = f"{name} must be {AXES[name].describe()}, got {text!r}"
        raise VariantError(msg)
    return AXES[name].parse(text)


def parse_id(text: str) -> Variant:
    """The variant with this id. Raises VariantError if there is none."""
    groups = [(axis, axis.mark.format(f"(?P<{name}>{axis.regex()})")) for name, axis in AXES.items()]
    pattern = "".join(f"-{group}" if axis.always_in_id else f"(?:-{group})?" for axis, group in groups)
    match = re.fullmatch(pattern, f"-{text}")
    if match is None:
        example = Variant(memory_format="nhwc", allocator="kept").id
        msg = f"unknown variant {text!r}: an id reads like {example}; `bench list` prints those of a preset"
        raise VariantError(msg)
    return Variant(**{name: parse_value(name, value) for name, value in match.groupdict().items() if value})  # type: ignore[arg-type] # each value is what its axis parses to


def as_row(variant: Variant) -> dict[str, str]:
    """The axes of a variant as text, as in the columns of variants.csv; no thread count is `unset`."""
    pairs = ((name, getattr(variant, name)) for name in AXES)
    return {name: UNSET if value is None else str(value) for name, value in pairs}


def axes_of(row: Mapping[str, object]) -> dict[str, str]:
    """The axes of a row of variants.csv as text. One that an earlier schema does not have is at its default."""
    return {name: str(row.get(name, axis.default)) for name, axis in AXES.items()}


def from_row(row: Mapping[str, object]) -> Variant:
    """The variant of a row of variants.csv."""
    return Variant(**{name: parse_value(name, text) for name, text in axes_of(row).items()})  # type: ignore[arg-type]


def runnable_variants(rows: Iterable[Mapping[str, Any]]) -> list[Variant]:
    """The variants of the rows of variants.csv that have no reason against them."""
    return [from_row(row) for row in rows if not row["excluded_reason"]]
