"""A step taken apart: by phase and layer as parts within parts, and by layer as a tree that opens."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import named
from bench.analyse.tables.columns import Row
from bench.core.text import MOST_OF_A_REASON, marked, visible
from bench.core.traces import BETWEEN
from bench.report.document import Block, Branch, Column, Fold, Icicle, Span, Tree
from bench.report.page import Report
from bench.report.words import percent, seconds

DIRECTIONS = ("forward", "backward")
COLUMNS = (Column("layer"), Column("type"), *(Column(name, "right") for name in (*DIRECTIONS, "share")))


@dataclass(slots=True)
class Layer:
    """A layer or a module that holds some: its own seconds, and what it holds by the next name of its path."""

    path: str
    type: str = ""
    own_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0.0))
    own_share: float = 0.0
    """Of the step, as in the table of layers."""
    held: "dict[str, Layer]" = field(default_factory=dict)

    def took_s(self, direction: str) -> float:
        """Its seconds in a direction, with those of all that it holds."""
        return math.fsum([self.own_s[direction], *(layer.took_s(direction) for layer in self.held.values())])

    @property
    def share(self) -> float:
        """Its share of the step, with those of all that it holds."""
        return math.fsum([self.own_share, *(layer.share for layer in self.held.values())])


def blocks(report: Report, chosen: list[str]) -> Iterator[Block]:
    """The step of each variant by phase and layer, and the tree of its layers."""
    steps = report.steps.set_index("variant_id")
    for variant_id in chosen:
        name = named(report.data, variant_id)
        layers = tree_of(report.layers[report.layers.variant_id == variant_id])
        step = span_of(steps.loc[variant_id].to_dict(), tables.phases_of(report.data), layers)
        words = (
            f"The step of {name} by phase and layer, each as wide as it takes long: choose "
            "one to enlarge it, and the whole to go back."
        )
        yield Icicle(step, words)
        rows = list(map(branch, layers.values()))
        tree = Tree(COLUMNS, rows, f"The layers of {name}, with those that each holds.")
        yield Fold(f"The layers of {name} as a tree", [tree])


def tree_of(rows: pd.DataFrame) -> dict[str, Layer]:
    """The layers of one variant by the first name of their paths, each with those that it holds."""
    roots: dict[str, Layer] = {}
    for row in rows.to_dict("records"):
        place, path = roots, ""
        for name in str(row["layer"]).split("."):
            path = f"{path}.{name}" if path else name
            layer = place.setdefault(name, Layer(path))
            place = layer.held
        layer.type = str(row["type"])
        for direction in DIRECTIONS:
            layer.own_s[direction] = known(row[f"{direction}_s"])
        layer.own_share = known(row["share_of_step"])
    return roots


def known(value: float) -> float:
    """The value, or 0 as the part of a sum that is not known."""
    return 0.0 if math.isnan(value) else value


def span_of(step: Row, phases: Iterable[str], layers: dict[str, Layer]) -> Span:
    """The step by phase, and forward and backward by layer.

    Each part is a median of its own, so those of a whole may sum to a little more than it: then the whole is their sum.
    """
    parts = []
    for phase in phases:
        took_s = step[f"{phase}_s"]
        if not math.isnan(took_s):
            inside = layers.values() if phase in DIRECTIONS else ()
            inner = [part for layer in inside if (part := part_of(layer, phase))]
            parts.append(Span(phase, max(took_s, math.fsum(part.seconds for part in inner)), inner))
    return Span("step", math.fsum(part.seconds for part in parts), parts)


def part_of(layer: Layer, direction: str) -> Span | None:
    """A layer in one direction, with what it holds; None if it takes no time there."""
    took_s = layer.took_s(direction)
    if not took_s > 0:
        return None
    inner = [part for held in layer.held.values() if (part := part_of(held, direction))]
    name = layer.path if layer.path == BETWEEN else f"{layer.path} {layer.type}".strip()
    return Span(visible(name), took_s, inner)


def branch(layer: Layer) -> Branch:
    """A layer as a row of the tree, with what it holds below it."""
    cells = [*(seconds(layer.took_s(direction)) for direction in DIRECTIONS), percent(layer.share)]
    name = marked(layer.path, MOST_OF_A_REASON)
    return Branch([name, marked(layer.type), *cells], list(map(branch, layer.held.values())))
