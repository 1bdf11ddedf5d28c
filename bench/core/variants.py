"""Variant, the axes it is a point of, and its id. No torch here."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

CPU_BATCH = 32
CUDA_BATCH = 128
LARGEST = "max"
"""The batch size that stands for the largest that fits."""


class UsageError(ValueError):
    """An option that can't be met; the text says which and what would do."""


class VariantError(UsageError):
    """An unknown axis, value or variant id; the text lists what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One point of the matrix."""

    device: str = "cpu"
    precision: str = "default"
    memory_format: str = "nchw"
    compile_mode: str = "eager"
    batch_size: int | str = CPU_BATCH
    """Images a step, or `max`: as many as fit."""
    loader: str = "resident"
    sync: str = "epoch"
    optimizer: str = "default"
    cudnn_benchmark: str = "off"
    threads: int | None = None
    allocator: str = "default"
    model: str = "nin"

    def __post_init__(self) -> None:
        """Raise VariantError for a value that its axis does not have."""
        for name in AXES:
            value = getattr(self, name)
            parse_value(name, "unset" if value is None else str(value))

    @property
    def id(self) -> str:
        """Five axes always, then every other that is not at its default: `cpu-fp32-nhwc-eager-b32-kept`."""
        parts = [self.device, self.precision, self.memory_format, self.compile_mode]
        parts.append(f"b{self.batch_size}")
        parts += [axis.in_id(str(getattr(self, n))) for n, axis in AXES.items() if self._marked(n)]
        return "-".join(parts)

    def _marked(self, name: str) -> bool:
        return name not in ALWAYS_IN_ID and getattr(self, name) != DEFAULTS[name]

    @property
    def baseline(self) -> "Variant":
        """What this variant is held against: every axis at its default, same device, batch and model."""
        return Variant(device=self.device, batch_size=self.batch_size, model=self.model)

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline of its device, batch and model."""
        return self == self.baseline

    @property
    def is_notebook(self) -> bool:
        """Whether this is the notebook's loop: PIL loader, `.item()` at every step, all else default."""
        return self == replace(self.baseline, **NOTEBOOK)  # type: ignore[arg-type] # two axes of text

    @property
    def is_own_model(self) -> bool:
        """Whether its model is made by a factory of the user's: code that is imported by its name."""
        return ":" in self.model and not self.model.startswith("torchvision.models:")

    @property
    def on_cuda(self) -> bool:
        """Whether it runs on a CUDA device."""
        return self.device.startswith("cuda")

    @property
    def queues(self) -> bool:
        """Whether its host can give whole steps to a device that is busy with something else."""
        waits = self.sync == "step" or (self.precision == "fp16" and self.optimizer != "fused")
        return self.on_cuda and self.loader == "resident" and not waits

    @property
    def replays(self) -> bool:
        """Whether its steps replay CUDA graphs that were recorded before."""
        return self.on_cuda and self.compile_mode in ("reduce-overhead", "max-autotune")


DEFAULTS = {field.name: field.default for field in fields(Variant)}
ALWAYS_IN_ID = ("device", "precision", "memory_format", "compile_mode", "batch_size")
NOTEBOOK = {"loader": "notebook", "sync": "step"}


NEVER_RETURN = "100000000000"  # bytes: far beyond any memory
ALLOCATOR_VARIABLES: dict[str, dict[str, str]] = {
    "default": {},
    "kept": {
        "MALLOC_TRIM_THRESHOLD_": NEVER_RETURN,
        "MALLOC_MMAP_THRESHOLD_": NEVER_RETURN,
    },
    "hugepages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "tcmalloc": {},  # LD_PRELOAD, which takes the library's name
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The values of one axis: named ones, or those that a pattern describes."""

    values: tuple[str, ...] = ()
    pattern: str = ""
    what: str = ""
    """The pattern in words, for errors."""
    in_id: Callable[[str], str] = str

    def regex(self) -> str:
        """What matches a value, the longest first."""
        return self.pattern or "|".join(map(re.escape, sorted(self.values, key=len, reverse=True)))

    def describe(self) -> str:
        """The values in words."""
        return self.what or ", ".join(self.values)


AXES: dict[str, Axis] = {
    "device": Axis(pattern=r"cpu|cuda(?::\d+)?", what="cpu, cuda or cuda:N"),
    "precision": Axis(values=("default", "fp32", "tf32", "bf16", "fp16")),
    "memory_format": Axis(values=("nchw", "nhwc")),
    "compile_mode": Axis(values=("eager", "inductor", "reduce-overhead", "max-autotune")),
    "batch_size": Axis(pattern=r"[1-9]\d*|max", what="a whole number of at least 1, or max"),
    "loader": Axis(values=("resident", "notebook", "workers")),
    "sync": Axis(values=("epoch", "step"), in_id="sync{}".format),
    "optimizer": Axis(values=("default", "foreach", "fused")),
    "cudnn_benchmark": Axis(values=("off", "on"), in_id="cudnnbench{}".format),
    "threads": Axis(pattern=r"unset|[1-9]\d*", what="unset or a whole number of at least 1", in_id="t{}".format),
    "allocator": Axis(values=("default", "kept", "hugepages", "tcmalloc")),
    "model": Axis(
        pattern=r"nin|[A-Za-z_][\w.]*:[A-Za-z_]\w*",
        what="nin, torchvision.models:NAME or package.module:factory",
    ),
}


def parse_value(name: str, text: str) -> str | int | None:
    """The value of an axis from its text; VariantError says what the axis has."""
    if name not in AXES:
        msg = f"unknown axis {name!r}: the axes are {', '.join(AXES)}"
        raise VariantError(msg)
    if not re.fullmatch(AXES[name].regex(), text):
        msg = f"{name} must be {AXES[name].describe()}, got {text!r}"
        raise VariantError(msg)
    if name == "threads":
        return None if text == "unset" else int(text)
    return int(text) if name == "batch_size" and text != LARGEST else text


def parse_id(text: str) -> Variant:
    """The variant with this id; VariantError where there is none."""
    required = [f"(?P<{n}>{AXES[n].regex()})" for n in ALWAYS_IN_ID[:-1]]
    required.append(f"b(?P<batch_size>{AXES['batch_size'].regex()})")
    optional = [
        f"(?:-{axis.in_id('@').replace('@', f'(?P<{n}>{axis.regex()})')})?"
        for n, axis in AXES.items()
        if n not in ALWAYS_IN_ID
    ]
    match = re.fullmatch("-".join(required) + "".join(optional), text)
    if match is None:
        example = Variant(memory_format="nhwc", allocator="kept").id
        msg = f"unknown variant {text!r}: an id reads like {example}; `bench list` prints those of a preset"
        raise VariantError(msg)
    given = {name: parse_value(name, value) for name, value in match.groupdict().items() if value}
    return Variant(**given)  # type: ignore[arg-type] # each value is what its axis parses to


def as_row(variant: Variant) -> dict[str, str]:
    """The axes of a variant as text, `unset` for no thread count: columns of variants.csv."""
    return {name: "unset" if value is None else str(value) for name, value in asdict(variant).items()}


def axes_of(row: Mapping[str, object]) -> dict[str, str]:
    """The axes of a row of variants.csv as text; one that a row of an earlier schema has not is at its default."""
    return as_row(Variant()) | {name: str(row[name]) for name in AXES if name in row}


def from_row(row: Mapping[str, object]) -> Variant:
    """The variant of a row of variants.csv."""
    return Variant(**{name: parse_value(name, text) for name, text in axes_of(row).items()})  # type: ignore[arg-type]


def runnable_variants(rows: Iterable[Mapping[str, Any]]) -> list[Variant]:
    """The variants of some rows of variants.csv that nothing was known against."""
    return [from_row(row) for row in rows if not row["excluded_reason"]]
