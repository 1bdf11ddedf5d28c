"""The matrix of a run: presets, what axes make of them, and why a variant can't run here. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.core.variants import (
    CPU_BATCH,
    CUDA_BATCH,
    DEFAULTS,
    LARGEST,
    NOTEBOOK,
    Variant,
    VariantError,
    parse_id,
    parse_value,
)
from bench.plan.cuda import Cuda, why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A variant in the matrix of a run."""

    variant: Variant
    pilot_only: bool = False
    """Measured once, in the pilot: for what is very slow or only informative."""


PRESETS = ("look", "quick", "full")


def preset(name: str, device: str, model: str = "nin", cores: int = 1) -> list[Entry]:
    """The entries of a preset for one device, its baseline first; VariantError for an unknown name.

    `cores` is how far `full` counts threads.
    """
    if name not in PRESETS:
        msg = f"unknown preset {name!r}: the presets are {', '.join(PRESETS)}"
        raise VariantError(msg)
    on_cuda = device.startswith("cuda")
    base = Variant(device=device, model=model, batch_size=CUDA_BATCH if on_cuda else CPU_BATCH)
    rounds, pilot = (_cuda_changes if on_cuda else _cpu_changes)(name, cores)
    return [
        Entry(variant=replace(base, **change), pilot_only=pilot_only)
        for changes, pilot_only in ((rounds, False), (pilot, True))
        for change in changes
    ]


Change = dict[str, Any]
"""Axes and values by which a variant differs from its baseline."""

KEPT, HUGE, TCMALLOC = ({"allocator": value} for value in ("kept", "hugepages", "tcmalloc"))
NHWC: Change = {"memory_format": "nhwc"}
FP32, TF32, BF16, FP16 = ({"precision": value} for value in ("fp32", "tf32", "bf16", "fp16"))
INDUCTOR, OVERHEAD, AUTOTUNE = (
    {"compile_mode": value} for value in ("inductor", "reduce-overhead", "max-autotune")
)  # fmt: skip
PIL, WORKERS = ({"loader": value} for value in ("notebook", "workers"))
FOREACH, FUSED = ({"optimizer": value} for value in ("foreach", "fused"))
STEPWISE: Change = {"sync": "step"}
CUDNN_BENCHMARK: Change = {"cudnn_benchmark": "on"}
ONE_BY_ONE: list[Change] = [FP32, TF32, BF16, FP16, NHWC, INDUCTOR, OVERHEAD, AUTOTUNE, PIL, WORKERS, STEPWISE]
"""Every axis, one value at a time; those that only one kind of device has, threads and batch sizes go by the device."""


def _cpu_changes(name: str, cores: int) -> tuple[list[Change], list[Change]]:
    """What a preset measures in rounds on a CPU, and what in the pilot alone."""
    best = NHWC | KEPT
    if name == "look":
        return [{}, NOTEBOOK, best], []
    if name == "quick":
        return [{}, NOTEBOOK, KEPT, NHWC, best, best | INDUCTOR], [BF16, HUGE, PIL, WORKERS]
    half = best | BF16  # fast where the CPU has instructions for it
    pairs = [best, NHWC | INDUCTOR, best | INDUCTOR, best | FUSED, NHWC | HUGE, NHWC | TCMALLOC, half, half | INDUCTOR]
    threads = [{"threads": count} for count in thread_counts(cores)]
    batches = [change | {"batch_size": size} for size in (8, 16, 64, 128) for change in ({}, best)]
    batches.append(NOTEBOOK | {"batch_size": 128})  # the notebook's own
    rounds = [{}, NOTEBOOK, *ONE_BY_ONE, FOREACH, FUSED, KEPT, HUGE, TCMALLOC, *pairs, *threads, *batches]
    return rounds, [{"batch_size": LARGEST}]


def _cuda_changes(name: str, cores: int) -> tuple[list[Change], list[Change]]:  # noqa: ARG001 - one signature
    """What a preset measures in rounds on a CUDA device, and what in the pilot alone."""
    half = NHWC | BF16
    if name == "look":
        return [{}, NOTEBOOK, half], []
    if name == "quick":
        return [{}, NOTEBOOK, NHWC, BF16, CUDNN_BENCHMARK, half, half | INDUCTOR, half | OVERHEAD], [PIL, WORKERS]
    pairs = [half, NHWC | FP16, BF16 | INDUCTOR, half | INDUCTOR, half | OVERHEAD, half | AUTOTUNE]
    pairs += [half | FUSED, half | INDUCTOR | FUSED, half | WORKERS, half | STEPWISE, half | CUDNN_BENCHMARK]
    batches = [change | {"batch_size": size} for size in (32, 64, 256, 512, 1024) for change in ({}, half)]
    rounds = [{}, NOTEBOOK, *ONE_BY_ONE, FOREACH, FUSED, *pairs, *batches]
    return rounds, [{"batch_size": LARGEST}, half | {"batch_size": LARGEST}]


def thread_counts(cores: int) -> list[int]:
    """Powers of two up to the cores, and the cores: where a curve of threads is read."""
    return sorted({min(2**power, cores) for power in range(cores.bit_length() + 1)})


def with_axes(entries: Iterable[Entry], axes: Mapping[str, Sequence[str | int | None]]) -> list[Entry]:
    """Every entry at every value of the given axes, with the baselines that they need, each once."""
    return with_baselines(crossed(entries, axes))


def crossed(entries: Iterable[Entry], axes: Mapping[str, Sequence[str | int | None]]) -> list[Entry]:
    """Every entry at every value of the given axes, and nothing else."""
    found = list(entries)
    for name, values in axes.items():
        found = [
            replace(entry, variant=replace(entry.variant, **{name: value}))  # type: ignore[arg-type]
            for value in values
            for entry in found
        ]
    return found


def with_baselines(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, each variant once, every baseline in front of what is held against it."""
    entries = list(entries)
    in_rounds = {entry.variant for entry in entries if not entry.pilot_only}
    found: dict[Variant, Entry] = {}
    for entry in entries:
        baseline = entry.variant.baseline
        pilot_only = baseline not in {variant.baseline for variant in in_rounds}
        found.setdefault(baseline, Entry(variant=baseline, pilot_only=pilot_only))
        found.setdefault(
            entry.variant,
            Entry(variant=entry.variant, pilot_only=entry.variant not in in_rounds),
        )
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What of a machine decides which variants can run there."""

    cuda: Cuda = field(default_factory=Cuda)
    cxx_compiler: bool = False
    c_compiler: bool = False
    python_headers: bool = False
    """Whether Python.h is there."""
    glibc: tuple[int, int] | None = None
    huge_pages: str = ""
    """The kernel's setting of transparent huge pages: always, madvise, never or unknown."""
    tcmalloc: str = ""
    """The library's file, empty where there is none."""
    cores: int = 1


def excluded_reason(variant: Variant, machine: Machine) -> str:
    """Why the variant can't run on the machine, in words; empty where nothing is known against it."""
    if variant.on_cuda:
        reason = why_not(variant, machine.cuda)
    elif variant.cudnn_benchmark == "on":
        reason = "cuDNN runs on CUDA devices only"
    elif variant.precision == "tf32":
        reason = "TF32 exists on CUDA devices only"
    elif variant.compile_mode == "reduce-overhead":
        reason = "reduce-overhead is CUDA graphs, which need a CUDA device"
    else:
        reason = ""
    if variant.compile_mode != "eager":
        reason = reason or _compiler_reason(variant, machine)
    return reason or _allocator_reason(variant.allocator, machine)


def _compiler_reason(variant: Variant, machine: Machine) -> str:
    if not machine.cxx_compiler:
        return "no C++ compiler, which inductor needs"
    if variant.on_cuda and not machine.c_compiler:
        return "no C compiler, which inductor's Triton needs"
    if variant.on_cuda and not machine.python_headers:
        return "no Python.h, which inductor's Triton needs (Debian: python3-dev)"
    return ""


def _allocator_reason(allocator: str, machine: Machine) -> str:
    if allocator in ("kept", "hugepages") and machine.glibc is None:
        return f"{allocator} is a setting of glibc, which this system does not use"
    if allocator == "hugepages":
        if machine.glibc is not None and machine.glibc < (2, 35):
            return "glibc.malloc.hugetlb needs glibc 2.35"
        if machine.huge_pages not in ("madvise", "always"):
            return f"transparent huge pages are set to {machine.huge_pages or 'unknown'}"
    if allocator == "tcmalloc" and not machine.tcmalloc:
        return "tcmalloc is not installed (Debian: libtcmalloc-minimal4)"
    return ""


def matrix(
    preset_name: str,
    devices: Sequence[str],
    axes: Sequence[str] = (),
    variant_ids: Sequence[str] = (),
    model: str = "nin",
    cores: int = 1,
) -> list[Entry]:
    """The entries of a run: the named variants with their baselines, or a preset with axes replaced.

    `axes` read NAME=VALUE,VALUE. VariantError for what is unknown.
    """
    changes = changes_of(axes, devices, model)
    devices = [str(device) for device in changes.pop("device", devices)]
    if variant_ids:
        return with_baselines([Entry(variant=named(text, devices, model)) for text in variant_ids])
    entries = [entry for device in devices for entry in preset(preset_name, device, model, cores)]
    return with_axes(entries, changes)


def ab_matrix(
    devices: Sequence[str], axes: Sequence[str] = (), variant_ids: Sequence[str] = (), model: str = "nin"
) -> list[Entry]:
    """The entries of `ab`: the named variants, or each device's baseline at every value of the axes.

    Nothing is added: each variant is held against itself in another tree.
    """
    changes = changes_of(axes, devices, model)
    devices = [str(device) for device in changes.pop("device", devices)]
    if variant_ids:
        variants = dict.fromkeys(named(text, devices, model) for text in variant_ids)
        return _at_one_size([Entry(variant=variant) for variant in variants])
    bases = [preset("quick", device, model)[0] for device in devices]
    return _at_one_size(list(dict.fromkeys(crossed(bases, changes))))


def named(text: str, devices: Sequence[str], model: str) -> Variant:
    """The variant with this id, of the model that the call names where the id names none.

    VariantError where the id has another model or another device than the call.
    """
    variant = parse_id(text)
    if variant.model == DEFAULTS["model"]:
        variant = replace(variant, model=model)
    elif model not in (DEFAULTS["model"], variant.model):
        msg = f"--variant {text} has the model {variant.model}, --model says {model}: take one of them back"
        raise VariantError(msg)
    if variant.device.partition(":")[0] not in devices and variant.device not in devices:
        msg = f"--variant {text} is of {variant.device}, --device says {', '.join(devices)}: take one of them back"
        raise VariantError(msg)
    return variant


def _at_one_size(entries: list[Entry]) -> list[Entry]:
    """The entries; VariantError where one has the largest batch that fits, which may differ between two trees."""
    if any(entry.variant.batch_size == LARGEST for entry in entries):
        msg = "this verb seeks no largest batch: name a batch size in place of max"
        raise VariantError(msg)
    return entries


ALL_DEVICES = ("cuda", "cpu")
"""What is cut off by a short budget is the slower one."""


def changes_of(axes: Sequence[str], devices: Sequence[str], model: str) -> dict[str, list[str | int | None]]:
    """The values of each axis that a call names; VariantError where it says the same twice in different words."""
    changes: dict[str, list[str | int | None]] = {}
    for name, values in map(parse_axis, axes):
        if name in changes:
            msg = f"--axis {name} is given twice: give its values in one, {name}=VALUE,VALUE"
            raise VariantError(msg)
        changes[name] = values
    for name, other in (("device", set(devices) != set(ALL_DEVICES)), ("model", model != DEFAULTS["model"])):
        if name in changes and other:
            msg = f"--axis {name} can't go with --{name}: name the {name} in one of them"
            raise VariantError(msg)
    return changes


def parse_axis(text: str) -> tuple[str, list[str | int | None]]:
    """Name and values of `NAME=VALUE,VALUE`; VariantError says what is wrong."""
    name, equals, values = text.partition("=")
    if not equals or not values:
        msg = f"--axis reads NAME=VALUE,VALUE, got {text!r}"
        raise VariantError(msg)
    return name, [parse_value(name, value) for value in values.split(",")]
