"""The matrix of a run: a preset, its variants at other values of axes, and why one can't run here. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from bench.core.axes.allocator import ALLOCATOR, KEPT
from bench.core.axes.batch_size import LARGEST
from bench.core.axes.kind import kind_of
from bench.core.axes.memory_format import MEMORY_FORMAT
from bench.core.axes.model import with_settings
from bench.core.axes.place import Machine, Place
from bench.core.variants import DEFAULTS, Variant, VariantError, parse_id, parse_value
from bench.plan.presets import PRESETS, changes_of_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A variant in the matrix of a run."""

    variant: Variant
    pilot_only: bool = False
    """Whether it is measured once, in the pilot, because it is very slow or only informative."""


def preset(name: str, device: str, model: str = "nin", cores: int = 1, mode: str = "train") -> list[Entry]:
    """The entries of a preset for one device, its baseline first. Raises VariantError if the name is unknown.

    `full` measures thread counts up to `cores`. Inference leaves out the variants that differ in training alone.
    """
    if name not in PRESETS:
        msg = f"unknown preset {name!r}: the presets are {', '.join(PRESETS)}"
        raise VariantError(msg)
    parse_value("device", device)
    kind = kind_of(device)
    base = Variant(device=device, model=model, batch_size=kind.batch_size, mode=mode)
    rounds, pilot = changes_of_kind(kind, name, cores)
    return [
        Entry(variant=replace(base, **change), pilot_only=pilot_only)
        for changes, pilot_only in ((rounds, False), (pilot, True))
        for change in changes
        if not replace(base, **change).why_no_inference
    ]


def with_axes(entries: Iterable[Entry], axes: Mapping[str, Sequence[str | int | None]]) -> list[Entry]:
    """Every entry at every value of the given axes, and the baselines that these need, each once."""
    return with_baselines(crossed(entries, axes))


def crossed(entries: Iterable[Entry], axes: Mapping[str, Sequence[str | int | None]]) -> list[Entry]:
    """Every entry at every value of the given axes, and nothing else."""
    crossing = list(entries)
    for name, values in axes.items():
        crossing = [
            replace(entry, variant=replace(entry.variant, **{name: value}))  # type: ignore[arg-type]
            for value in values
            for entry in crossing
        ]
    return crossing


def with_baselines(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, each variant once, and every baseline before the variants that are compared with it."""
    entries = list(entries)
    in_rounds = {entry.variant for entry in entries if not entry.pilot_only}
    by_variant: dict[Variant, Entry] = {}
    for entry in entries:
        baseline = entry.variant.baseline
        pilot_only = baseline not in {variant.baseline for variant in in_rounds}
        by_variant.setdefault(baseline, Entry(variant=baseline, pilot_only=pilot_only))
        by_variant.setdefault(
            entry.variant,
            Entry(variant=entry.variant, pilot_only=entry.variant not in in_rounds),
        )
    return list(by_variant.values())


def excluded_reason(variant: Variant, machine: Machine) -> str:
    """Why the variant can't run on the machine, in words; empty if nothing is known against it."""
    place = Place(device=variant.device, machine=machine)
    by_value = (value.why_not(place) for value in variant.values.values())
    reasons = (variant.why_no_inference, variant.why_no_ranks, *by_value)
    return next(filter(None, reasons), "")


def matrix(
    preset_name: str,
    devices: Sequence[str],
    axes: Sequence[str] = (),
    variant_ids: Sequence[str] = (),
    model: str = "nin",
    cores: int = 1,
    mode: str = "train",
    *,
    of_task: bool = False,
) -> list[Entry]:
    """The entries of a run: the named variants and their baselines, or a preset at the values of the axes.

    An axis reads NAME=VALUE,VALUE. A task makes its own batches, so it has a preset's variants without those of other
    loaders. Raises VariantError if something is unknown.
    """
    changes = changes_of(axes, devices, model)
    devices = [str(device) for device in changes.pop("device", devices)]
    if variant_ids:
        return with_baselines([Entry(variant=v) for v in all_named(variant_ids, devices, model, mode)])
    entries = [entry for device in devices for entry in preset(preset_name, device, model, cores, mode)]
    return with_axes(for_tasks(entries) if of_task else entries, changes)


def for_tasks(entries: Iterable[Entry]) -> list[Entry]:
    """A preset's entries for a task, which makes its own batches, and often has no images.

    Those of other loaders are left out. Each with a memory format of images has the same without it before it.
    """
    own = [entry for entry in entries if entry.variant.loader == DEFAULTS["loader"]]
    nchw = MEMORY_FORMAT.default
    plain = {e: replace(e, variant=replace(e.variant, memory_format=nchw)) for e in own}
    return list(dict.fromkeys(each for entry in own for each in (plain[entry], entry)))


def ab_matrix(
    devices: Sequence[str],
    axes: Sequence[str] = (),
    variant_ids: Sequence[str] = (),
    model: str = "nin",
    mode: str = "train",
) -> list[Entry]:
    """The entries of `ab`: the named variants, or each device's baseline at every value of the axes.

    No baseline is added: each variant is compared with itself in another tree.
    """
    changes = changes_of(axes, devices, model)
    devices = [str(device) for device in changes.pop("device", devices)]
    if variant_ids:
        variants = dict.fromkeys(all_named(variant_ids, devices, model, mode))
        return _at_one_size([Entry(variant=variant) for variant in variants])
    bases = [preset("quick", device, model, mode=mode)[0] for device in devices]
    return _at_one_size(list(dict.fromkeys(crossed(bases, changes))))


def on_kept(entries: Iterable[Entry], machine: Machine) -> list[Entry]:
    """The entries, those of a CPU with the allocator that keeps freed memory if it can run on the machine.

    With the default one, identical code makes very different numbers of page faults, and its times follow them.
    """
    kept = ALLOCATOR.value(KEPT)

    def can(variant: Variant) -> bool:
        return not variant.kind.accelerates and not kept.why_not(Place(device=variant.device, machine=machine))

    return [replace(e, variant=replace(e.variant, allocator=KEPT)) if can(e.variant) else e for e in entries]


def all_named(texts: Sequence[str], devices: Sequence[str], model: str, mode: str) -> list[Variant]:
    """The variants with these ids, with the call's mode if an id names none.

    Raises VariantError if one is unknown or has another model or device than the call, or if some train and some infer.
    """
    variants = [named(text, devices, model) for text in texts]
    variants = [replace(v, mode=mode) if v.mode == DEFAULTS["mode"] else v for v in variants]
    if len({variant.mode for variant in variants}) > 1:
        msg = "some of these variants train and some infer: a run has one mode"
        raise VariantError(msg)
    return variants


def named(text: str, devices: Sequence[str], model: str) -> Variant:
    """The variant with this id, with the call's model if the id names none.

    Raises VariantError if the id has another model or another device than the call.
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
    """The entries. Raises VariantError if one has the largest batch that fits: that may differ between two trees."""
    if any(entry.variant.batch_size == LARGEST for entry in entries):
        msg = "this verb seeks no largest batch: name a batch size in place of max"
        raise VariantError(msg)
    return entries


OF_TASK = "task."
"""The beginning of an axis that is a parameter of the user's own factory."""
ALL_DEVICES = ("cuda", "cpu")
"""The faster kind first: a short budget cuts off the last."""


def changes_of(axes: Sequence[str], devices: Sequence[str], model: str) -> dict[str, list[str | int | None]]:
    """The values of each axis that a call names. Raises VariantError if the call names an axis twice, or the mode."""
    if any(axis.startswith("mode=") for axis in axes):
        msg = "--axis mode: a run has one mode, for all its variants: name it by --mode"
        raise VariantError(msg)
    changes: dict[str, list[str | int | None]] = {}
    settings = dict(parse_setting(axis) for axis in axes if axis.startswith(OF_TASK))
    if settings and ":" not in model:
        msg = f"--axis {OF_TASK}{next(iter(settings))} needs --task: it is a parameter of the task's factory"
        raise VariantError(msg)
    for name, values in map(parse_axis, (axis for axis in axes if not axis.startswith(OF_TASK))):
        if name in changes:
            msg = f"--axis {name} is given twice: give its values in one, {name}=VALUE,VALUE"
            raise VariantError(msg)
        changes[name] = values
    for name, other in (("device", set(devices) != set(ALL_DEVICES)), ("model", model != DEFAULTS["model"])):
        if name in changes and other:
            msg = f"--axis {name} can't go with --{name}: name the {name} in one of them"
            raise VariantError(msg)
    if settings:
        changes["model"] = [
            parse_value("model", with_settings(model, list(each))) for each in product(*settings.values())
        ]
    return changes


def parse_setting(text: str) -> tuple[str, list[str]]:
    """The name of a factory's parameter in `task.NAME=VALUE,VALUE`, and each `NAME=VALUE`. Raises VariantError."""
    name, equals, values = text.removeprefix(OF_TASK).partition("=")
    if not equals or not values or not name.isidentifier():
        msg = f"--axis reads {OF_TASK}NAME=VALUE,VALUE, got {text!r}"
        raise VariantError(msg)
    return name, [f"{name}={value}" for value in values.split(",")]


def parse_axis(text: str) -> tuple[str, list[str | int | None]]:
    """The name and values of `NAME=VALUE,VALUE`. Raises VariantError that says what is wrong."""
    name, equals, values = text.partition("=")
    if not equals or not values:
        msg = f"--axis reads NAME=VALUE,VALUE, got {text!r}"
        raise VariantError(msg)
    return name, [parse_value(name, value) for value in values.split(",")]
