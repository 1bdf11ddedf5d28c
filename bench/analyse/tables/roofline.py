"""How far a layer is from the limits of its device: the time that its work would take at the device's roofs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.analyse.load import RunData
from bench.core.axes.precision import PRECISION, computed
from bench.core.traces import LAYERED, PHASES
from bench.core.variants import Variant

WAYS = ("copy", "read", "write")
"""The ways to use memory that the roof of bytes is the best of; a copy within a cache is none."""
OF_BATCH = ("data", "h2d")
ALL_WAYS = (*WAYS, "cached copy")
FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"
TYPES = (FLOAT32, TF32, BFLOAT16, "float16")
MOST_UNKNOWN = 0.1
"""The most of a step whose work may be unknown, for the step to have a share of its roof."""


class Bound(StrEnum):
    """Which of the two least times is longer. Bytes are a lower bound, so `compute` may be memory after all."""

    MEMORY = "memory"
    COMPUTE = "compute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofs:
    """What a device can do at most."""

    flops: dict[str, float]
    """Operations a second, by type."""
    bytes: dict[str, float]
    """Bytes a second, by the way memory is used."""
    spread: dict[str, float]
    """Half the range of a roof's samples, as a share of their median, by its name."""

    @property
    def all(self) -> dict[str, float]:
        """Every roof by name."""
        return self.flops | self.bytes

    @property
    def bytes_per_s(self) -> float:
        """The most bytes a second of any way; NaN if none was measured."""
        return max((self.bytes[way] for way in WAYS if way in self.bytes), default=math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRoof:
    """The least time that some work can take on a device."""

    seconds: float
    """NaN if the work or a roof is not known."""
    bound: Bound | None


UNKNOWN = AtRoof(seconds=math.nan, bound=None)


def roofs_of(data: RunData, device: str) -> Roofs | None:
    """The roofs of a device, which its first baseline measured; None if none did."""
    baselines = [v for v, variant in data.variants.items() if variant.device == device and variant.is_baseline]
    for variant_id in baselines:
        flops, moved, spread = (
            measured(data, variant_id, metric, names)
            for metric, names in (("roof_flops", TYPES), ("roof_bytes", ALL_WAYS), ("roof_spread", TYPES + ALL_WAYS))
        )
        if flops and moved:
            return Roofs(flops=flops, bytes=moved, spread=spread)
    return None


def measured(data: RunData, variant_id: str, metric: str, names: tuple[str, ...]) -> dict[str, float]:
    """The values of a metric of the device, by name, as far as they were measured."""
    values = {name: data.spread(variant_id, metric, "process", phase=name).estimate for name in names}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def types_of(data: RunData, variant: Variant) -> tuple[str, str]:
    """The roofs by which a variant's operations are judged: those in float32, and those in 16 bits."""
    gpus = data.run.environment.cuda_devices
    index = int(variant.device.partition(":")[2] or 0)
    capability = gpus[index].capability if variant.on_cuda and index < len(gpus) else None
    full = TF32 if computed(variant.precision, capability).name == TF32 else FLOAT32
    return full, PRECISION.value(variant.precision).autocast or BFLOAT16


def at_roof(roofs: Roofs, types: tuple[str, str], flops: float, half_flops: float, least_bytes: float) -> AtRoof:
    """The least time for some operations, of which `half_flops` are in 16 bits, and some bytes."""
    compute_s = divided(flops - half_flops, roofs.flops.get(types[0])) + divided(half_flops, roofs.flops.get(types[1]))
    memory_s = least_bytes / roofs.bytes_per_s
    if math.isnan(compute_s) or math.isnan(memory_s):
        return UNKNOWN
    if not (compute_s or memory_s):
        return AtRoof(seconds=0.0, bound=None)
    return AtRoof(seconds=max(compute_s, memory_s), bound=Bound.MEMORY if memory_s >= compute_s else Bound.COMPUTE)


def divided(flops: float, roof: float | None) -> float:
    """Seconds of some operations at a roof; 0 for none, NaN if the roof is not known."""
    if not flops:
        return 0.0
    return flops / roof if roof else math.nan


def work_of(data: RunData, variant_id: str, layer: str, phase: str) -> tuple[float, float, float]:
    """Operations, those in 16 bits, and the least bytes of a layer in a phase, or of a phase; NaN if unknown.

    A variant whose work was not counted has that of its baseline, unless it computes in 16 bits or is compiled.
    """
    scope, variant = ("layer" if layer else "phase"), data.variants[variant_id]
    as_baseline = not variant.compiled and not PRECISION.value(variant.precision).autocast
    source = variant.baseline.id if as_baseline else variant_id
    flops, half, least = (
        data.spread(source, metric, scope, layer, phase).estimate for metric in ("flops", "half_flops", "least_bytes")
    )
    return flops, half, least


def of_layer(data: RunData, variant_id: str, layer: str, phase: str) -> AtRoof:
    """The least time of a layer in a phase, or of a phase (with an empty layer).

    Unknown without roofs or work, and for a variant that takes other threads than the roofs did, or several processes.
    """
    variant = data.variants[variant_id]
    roofs = roofs_of(data, variant.device)
    if roofs is None or variant.threads is not None or variant.world_size > 1:
        return UNKNOWN
    return at_roof(roofs, types_of(data, variant), *work_of(data, variant_id, layer, phase))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer in a phase, or a phase outside of all layers, and how far it is from its roof."""

    layer: str
    phase: str
    took_s: float
    at_roof: AtRoof
    flops: float
    least_bytes: float

    @property
    def over_s(self) -> float:
        """By how much it takes longer than at its roof; below 0 if it is faster than that."""
        return self.took_s - self.at_roof.seconds

    @property
    def share(self) -> float:
        """The time at the roof over the time it took."""
        return self.at_roof.seconds / self.took_s


def parts_of(data: RunData, variant_id: str) -> list[Part]:
    """The parts of a variant's stamped step that take time, in the order measured: layers, and the other phases.

    Left out are the phases that make and move the batch: they have roofs of other kinds. The phases that a task's own
    step names hold layers, so what they have beside those is one part, `rest`, whose least time is not known.
    """
    rows = [
        (layer, phase)
        for of, metric, scope, layer, phase in data.spreads
        if of == variant_id and metric == "wall" and (scope == "layer" or (scope == "phase" and phase not in LAYERED))
    ]
    if any(not layer and phase not in PHASES for layer, phase in rows):
        return of_own_step(data, variant_id, [row for row in rows if row[0]])
    return parts_with_time(data, variant_id, [row for row in rows if row[1] not in OF_BATCH])


def parts_with_time(data: RunData, variant_id: str, rows: list[tuple[str, str]]) -> list[Part]:
    """A part for each of some layers with their phases, or phases, that takes time."""
    parts = []
    for layer, phase in rows:
        took_s = data.spread(variant_id, "wall", "layer" if layer else "phase", layer, phase).estimate
        flops, _, least_bytes = work_of(data, variant_id, layer, phase)
        at = of_layer(data, variant_id, layer, phase)
        if took_s > 0:
            parts.append(
                Part(layer=layer, phase=phase, took_s=took_s, at_roof=at, flops=flops, least_bytes=least_bytes)
            )
    return parts


def of_own_step(data: RunData, variant_id: str, layers: list[tuple[str, str]]) -> list[Part]:
    """The layers of a step that names its phases, and the rest of it."""
    parts = parts_with_time(data, variant_id, layers)
    rest_s = data.spread(variant_id, "stamped_wall").estimate - math.fsum(part.took_s for part in parts)
    rest = Part(layer="", phase="rest", took_s=rest_s, at_roof=UNKNOWN, flops=math.nan, least_bytes=math.nan)
    return [*parts, *([rest] if rest_s > 0 else [])]


def folded(parts: list[Part], name_of: Mapping[str, str]) -> list[Part]:
    """The parts with those of layers that share a name in one part each, which has their sums."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((name_of.get(part.layer, part.layer), part.phase), []).append(part)
    return [summed(layer, phase, members) for (layer, phase), members in groups.items()]


def summed(layer: str, phase: str, parts: list[Part]) -> Part:
    """The sum of some parts; it is bound as the one is that takes longest at its roof."""
    longest = max(parts, key=lambda part: part.at_roof.seconds)
    return Part(
        layer=layer,
        phase=phase,
        took_s=math.fsum(part.took_s for part in parts),
        at_roof=replace(longest.at_roof, seconds=math.fsum(part.at_roof.seconds for part in parts)),
        flops=math.fsum(part.flops for part in parts),
        least_bytes=math.fsum(part.least_bytes for part in parts),
    )


def known(parts: list[Part]) -> list[Part]:
    """The parts whose least time is known."""
    return [part for part in parts if not math.isnan(part.at_roof.seconds)]


def unknown_share(parts: list[Part]) -> float:
    """The share of the time of some parts whose least time is not known."""
    return 1 - math.fsum(part.took_s for part in known(parts)) / math.fsum(part.took_s for part in parts)


def step_share(data: RunData, variant_id: str) -> float:
    """The time of a whole step at the roofs over its time; NaN if the work of more than a tenth of it is not known."""
    parts = parts_of(data, variant_id)
    if not known(parts) or unknown_share(parts) > MOST_UNKNOWN:
        return math.nan
    known_s = math.fsum(part.took_s for part in known(parts))
    return math.fsum(part.at_roof.seconds for part in known(parts)) / known_s
