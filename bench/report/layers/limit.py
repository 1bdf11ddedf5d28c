"""The section on how far the step is from what its device can do: what is left to win, and where."""

import math
from collections.abc import Mapping
from functools import partial

from bench.analyse.labels import label, named
from bench.analyse.load import RunData
from bench.analyse.tables import repeated, roofline
from bench.analyse.tables.roofline import Part
from bench.core.axes.precision import PRECISION
from bench.core.text import code
from bench.report.answer import answer
from bench.report.document import Block, Figure, Marked, Note, Paragraph, Section, Table, explained
from bench.report.figures import plots_roofline
from bench.report.page import Report
from bench.report.words import number, percent, seconds, size

TITLE = "How far from the limit"
MOST_ROWS, MOST_NAMED = 10, 3
LEAST_TOLD = 0.005
OVER = 1.02
"""A share of the roof above this is said to be odd."""
WORDS = (
    "*At the roof* is the least time in which this device could do a part's work: the longer of its operations at the "
    "most operations a second, and its bytes at the most bytes a second, both measured in this run's pilot. *Bound* "
    "names the longer one, and not what the part waits for today. Bytes are a lower bound: what a layer reads and "
    "leaves, once each. So a part that is bound by *compute* may be bound by memory after all. *Least here* is the "
    "least time that any variant of this run takes in that part."
)
UNSTEADY = 0.1
"""Half of the range of a roof's samples, as a share of their median, above which the page warns."""
ODD = (
    "A part above 100 % is no prize: a convolution by Winograd does less than its count says, few bytes stay in a "
    "cache, or the roof was measured while the machine was busy."
)


def section(report: Report) -> Section | None:
    """The gap between the step and the roofs, of the baseline and the fastest eager variant; None if not measured."""
    blocks: list[Block] = []
    for group in answer.groups(report.data, report.steps).values():
        for variant_id in answer.layered_variants(report.data, group, set(report.layers.variant_id)):
            blocks += of_variant(report, variant_id, str(len(blocks) + 1))
    if not blocks:
        return None
    return Section(TITLE, [*roof_blocks(report), *blocks, explained(WORDS)])


def roof_blocks(report: Report) -> list[Block]:
    """The roofs of each device, and how far their samples were apart."""
    data, rows = report.data, []
    for device in dict.fromkeys(variant.device for variant in data.variants.values()):
        roofs = roofline.roofs_of(data, device)
        for name, rate in roofs.all.items() if roofs else ():
            unit = "GFLOP/s" if roofs and name in roofs.flops else "GB/s"
            spread = f"\N{PLUS-MINUS SIGN}{percent(roofs.spread[name])}" if roofs and name in roofs.spread else ""
            rows.append(
                {"device": device, "roof": name, "most": f"{number(rate / 1e9)} {unit}", "samples within": spread}
            )
    return [Table.of(rows), *unsteady_notes(data)]


def unsteady_notes(data: RunData) -> list[Block]:
    """A warning if the samples of a roof that counts were far apart."""
    devices = dict.fromkeys(variant.device for variant in data.variants.values())
    every = [roofs for device in devices if (roofs := roofline.roofs_of(data, device)) is not None]
    wide = {
        name: spread
        for roofs in every
        for name, spread in roofs.spread.items()
        if spread > UNSTEADY and (name in roofs.flops or name in roofline.WAYS)
    }
    listed = ", ".join(f"{name} \N{PLUS-MINUS SIGN}{percent(spread)}" for name, spread in wide.items())
    return [Note(f"The roofs were unsteady ({listed}), so the shares are no better than that.")] if wide else []


def of_variant(report: Report, variant_id: str, index: str) -> list[Block]:
    """The sentence, the table and the figures of one variant; nothing if its work or the roofs are not known."""
    data, rows = report.data, report.layers[report.layers.variant_id == variant_id]
    names = {} if report.every_layer else repeated.names_of(rows)
    every = roofline.parts_of(data, variant_id)
    parts = roofline.folded(roofline.known(every), names)
    roofs = roofline.roofs_of(data, data.variants[variant_id].device)
    if not parts or roofs is None:
        return []
    widest = sorted(parts, key=lambda part: -part.over_s)[:MOST_ROWS]
    types = roofline.types_of(data, data.variants[variant_id])
    shown = types if PRECISION.value(data.variants[variant_id].precision).autocast else types[:1]
    figures: list[Block] = [
        Figure(f"gaps-{index}", partial(plots_roofline.gaps, widest), "milliseconds by part, and those at the roof")
    ]
    if any(plots_roofline.is_drawn(part) for part in parts):
        drawn = partial(plots_roofline.roofline, parts, roofs, shown)
        figures.append(Figure(f"roofline-{index}", drawn, "operations a second by operations a byte, under the roofs"))
    table = Table.of(cells(data, variant_id, part, names) for part in widest)
    odd: list[Block] = [Paragraph(ODD)] if any(part.share > OVER for part in widest) else []
    words = [Paragraph(sentence(parts, roofline.unknown_share(every)))]
    return [Section(named(data, variant_id), [*words, table, *odd, *figures], level=3)]


def sentence(parts: list[Part], unknown: float) -> str:
    """How long the step takes, how long it would at the roofs, and where most of the gap is."""
    took_s = math.fsum(part.took_s for part in parts)
    roof_s = math.fsum(part.at_roof.seconds for part in parts)
    widest = [part for part in sorted(parts, key=lambda part: -part.over_s) if part.over_s > 0][:MOST_NAMED]
    most = ", then ".join(
        f"{name_of(part)} ({seconds(part.over_s)} over its roof, at {percent(part.share)} of it)" for part in widest
    )
    rest = f" (and {percent(unknown)} of the step more, whose work is not known)" if unknown >= LEAST_TOLD else ""
    gap = f" Most of the gap: {most}." if most else ""
    return (
        f"Stamped, and without data and h2d, a step takes {seconds(took_s)}{rest}. At this device's roofs its work "
        f"would take {seconds(roof_s)}, {percent(roof_s / took_s)} of that.{gap}"
    )


def name_of(part: Part) -> str:
    """A part in words."""
    return f"{part.phase} of {code(part.layer)}" if part.layer else code(part.phase)


def cells(data: RunData, variant_id: str, part: Part, names: Mapping[str, str]) -> dict[str, object]:
    """The row of a part; `names` are those of layers that share a row."""
    best = least_of(data, variant_id, part, names)
    return {
        "part": Marked(name_of(part)),
        "takes": seconds(part.took_s),
        "at the roof": seconds(part.at_roof.seconds),
        "share": percent(part.share),
        "over": seconds(part.over_s) if part.over_s > 0 else "",
        "bound": str(part.at_roof.bound or ""),
        "operations": f"{number(part.flops / 1e9)} GFLOP" if part.flops > 0 else "",
        "least bytes": size(part.least_bytes),
        "least here": f"{seconds(best[0])} ({label(data, best[1])})" if best else "",
    }


def least_of(data: RunData, variant_id: str, part: Part, names: Mapping[str, str]) -> tuple[float, str] | None:
    """The least seconds that another variant of the same model and batch takes in a part; None if none takes less."""
    own = data.variants[variant_id]
    layers = [layer for layer, name in names.items() if name == part.layer] or [part.layer]
    took_s = {
        v: math.fsum(
            data.spread(v, "wall", "layer" if layer else "phase", layer, part.phase).estimate for layer in layers
        )
        for v, variant in data.variants.items()
        if v != variant_id
        and (variant.device, variant.model, variant.batch_size) == (own.device, own.model, own.batch_size)
    }
    return min(((least_s, v) for v, least_s in took_s.items() if least_s < part.took_s), default=None)
