"""What a reader opens step by step: a tree of rows, and parts within parts."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

from markupsafe import escape

from bench.report.document import Branch, Column, Icicle, Span, Timeline, Tree
from bench.report.figures.ink import COLOURS, MORE_COLOURS, is_dark
from bench.report.html import timeline
from bench.report.render import inline
from bench.report.words import percent, seconds

LEAST_SHARE = 2e-4
"""A part that takes less of the whole is left out: nobody could see it."""
EMPTY = "#8888"
"""The colour of the whole, which is no part of itself."""


def text(block: Tree | Icicle | Timeline) -> str:
    """Such a block as HTML; empty if it has nothing to open."""
    if isinstance(block, Timeline):
        return timeline.text(block)
    return tree(block) if isinstance(block, Tree) else icicle(block)


def tree(block: Tree) -> str:
    """A tree of rows: a branch with rows below it opens."""
    if not block.branches:
        return ""
    head = cells([column.heading for column in block.columns], block.columns, 0)
    rows = "\n".join(branch(row, block.columns, 0) for row in block.branches)
    return (
        f'<figure><div class="scroll" tabindex="0"><div class="tree" style="--columns:{len(block.columns) - 1}">'
        f'<div class="row head">{head}</div>\n{rows}\n</div></div>'
        f"<figcaption>{inline.html(block.words)}</figcaption></figure>"
    )


def branch(row: Branch, columns: Sequence[Column], depth: int) -> str:
    """A row, and within it those below it."""
    shown = cells(row.cells, columns, depth)
    if not row.branches:
        return f'<div class="row">{shown}</div>'
    below = "\n".join(branch(one, columns, depth + 1) for one in row.branches)
    return f'<details><summary class="row">{shown}</summary>\n{below}\n</details>'


def cells(texts: Sequence[str], columns: Sequence[Column], depth: int) -> str:
    """The cells of a row, the first of them indented."""
    shown = [
        f'<span class="{column.align}">{inline.html(text)}</span>' for text, column in zip(texts, columns, strict=True)
    ]
    return f'<span class="cells" style="--depth:{depth}">{"".join(shown)}</span>'


class Box(NamedTuple):
    """A part of an icicle: where it lies, as shares of the whole, and how it looks."""

    span: Span
    depth: int
    left: float
    colour: str


def icicle(block: Icicle) -> str:
    """Parts within parts, each as wide as it takes long; nothing if the whole takes no time."""
    whole = block.span.seconds
    if not whole > 0:
        return ""
    boxes = list(boxes_of(block.span))
    depths = 1 + max(box.depth for box in boxes)
    shown = "\n".join(box_text(box, whole) for box in boxes)
    return (
        f'<figure><div class="icicle" role="group" aria-label="{escape(inline.plain(block.words))}" '
        f'style="--depths:{depths}">\n{shown}\n</div><figcaption>{inline.html(block.words)}</figcaption></figure>'
    )


def boxes_of(root: Span) -> Iterator[Box]:
    """The boxes of a whole and of its parts that are wide enough; each part of the whole has a colour of its own."""
    yield Box(root, 0, 0.0, EMPTY)
    left, spare = 0.0, cycle(MORE_COLOURS)
    for part in root.spans:
        yield from below(part, 1, left, COLOURS.get(part.name) or next(spare), root.seconds)
        left += part.seconds / root.seconds


def below(span: Span, depth: int, left: float, colour: str, whole: float) -> Iterator[Box]:
    """The box of a part, and those of its own parts."""
    if span.seconds < LEAST_SHARE * whole:
        return
    yield Box(span, depth, left, colour)
    for part in span.spans:
        yield from below(part, depth + 1, left, colour, whole)
        left += part.seconds / whole


def box_text(box: Box, whole: float) -> str:
    """A box as a button, which a script makes zoom."""
    share = box.span.seconds / whole
    words = escape(f"{box.span.name}: {seconds(box.span.seconds)}, {percent(share)}")
    style = f"--left:{box.left:.6f};--width:{share:.6f};--depth:{box.depth};--fill:{box.colour}"
    ink = "dark" if is_dark(box.colour) else "light"
    focus = "0" if box.depth == 0 else "-1"
    return (
        f'<button type="button" class="span {ink}" tabindex="{focus}" style="{style}" data-tip="{words}" '
        f'aria-label="{words}">{escape(box.span.name)}</button>'
    )
