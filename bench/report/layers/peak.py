"""What is alive when a step holds most memory, by kind and by layer."""

from collections import defaultdict

from bench.analyse.labels import named
from bench.analyse.load import RunData
from bench.analyse.tables.capacity import capacity, searched
from bench.core.text import code
from bench.report.document import Block, Marked, Paragraph, Table
from bench.report.words import percent, size

MOST_LAYERS = 5
WORDS = (
    "The five layers with most. Tensors are counted as operators return them; *allocator peak* also has what an "
    "operator takes while it runs, and comes from another process. *Kept for backward* is all that forward made and "
    "that is still there."
)


def blocks(data: RunData) -> list[Block]:
    """A sentence and a table of each baseline whose peak is known."""
    parts: list[Block] = []
    for variant_id, variant in data.variants.items():
        if variant.is_baseline and (alive := alive_of(data, variant_id)):
            parts += of_variant(data, variant_id, alive)
    return [*parts, Paragraph(WORDS)] if parts else []


def alive_of(data: RunData, variant_id: str) -> dict[tuple[str, str], float]:
    """The bytes alive at the peak of a variant's step, by layer and kind."""
    return {
        (layer, kind): value.estimate
        for (of, metric, _, layer, kind), value in data.spreads.items()
        if of == variant_id and metric == "alive"
    }


def of_variant(data: RunData, variant_id: str, alive: dict[tuple[str, str], float]) -> list[Block]:
    """When the peak is and what is alive, by kind; and the layers that have most of it."""
    by_kind: dict[str, float] = defaultdict(float)
    by_layer: dict[str, float] = defaultdict(float)
    for (layer, kind), held in alive.items():
        by_kind[kind] += held
        by_layer[layer] += held
    total = sum(by_kind.values())
    kinds = ", ".join(
        f"{percent(held / total)} {kind}" for kind, held in sorted(by_kind.items(), key=lambda item: -item[1])
    )
    sentence = (
        f"{named(data, variant_id)} holds most, {size(total)} of tensors, in {moment(data, variant_id)}: {kinds}."
    )
    heaviest = sorted(by_layer, key=lambda layer: -by_layer[layer])[:MOST_LAYERS]
    rows = [
        {"layer": Marked(code(layer)), "alive": size(by_layer[layer])}
        | {kind: size(alive[layer, kind]) for kind in by_kind if (layer, kind) in alive}
        for layer in heaviest
    ]
    return [Paragraph(f"{sentence}{capacity_words(data, variant_id)}"), Table.of(rows)]


def capacity_words(data: RunData, variant_id: str) -> str:
    """How large a batch should fit, and how large a one did if the run searched for it; empty if it is not known."""
    projected, found = capacity(data, variant_id), searched(data, variant_id)
    if projected is None:
        return ""
    grows = f" Each item of a batch adds {size(projected.item_bytes)} to the peak."
    if not projected.batch:
        return f"{grows} That is too much for {size(projected.limit_bytes)}."
    search = f"; the search found {found:,}" if found else ""
    return (
        f"{grows} So a batch of about {projected.batch:,} should fit into {size(projected.limit_bytes)} "
        f"(a projection{search})."
    )


def moment(data: RunData, variant_id: str) -> str:
    """Whose code runs at the peak, in words."""
    owner = next(
        ((layer, phase) for of, metric, _, layer, phase in data.spreads if (of, metric) == (variant_id, "alive_peak")),
        ("", ""),
    )
    layer, phase = owner
    return f"{phase} of {code(layer)}" if layer else code(phase)
