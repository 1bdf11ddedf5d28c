"""Blocks as HTML. What a run's files hold stays text.

Without the page's script and style all of it can be read: tables, figures and everything that opens are HTML's own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from markupsafe import escape

from bench.core.text import visible
from bench.report.document import (
    Block,
    Bullets,
    Code,
    Column,
    Figure,
    Fold,
    Icicle,
    Note,
    Paragraph,
    Section,
    Table,
    Timeline,
    Tree,
)
from bench.report.figures.ink import GRID, INK, PAPER
from bench.report.html import opening
from bench.report.render import inline

THEMED = {INK: "currentColor", PAPER: "var(--paper, white)", GRID: "var(--grid, #ddd)"}
"""The colours of a figure that follow the page's theme."""


def text(blocks: Iterable[Block], name: Callable[[Section], str] = lambda _: "") -> str:
    """The blocks, one after the other; `name` gives the id of a section, or an empty text."""
    return "\n".join(block_text(block, name) for block in blocks)


def block_text(block: Block, name: Callable[[Section], str]) -> str:
    """One block; empty for a table without rows."""
    match block:
        case Section():
            shown = section(block, name)
        case Paragraph():
            shown = f"<p>{inline.html(block.text)}</p>"
        case Note():
            shown = f'<p class="note"><strong>{inline.html(block.text)}</strong></p>'
        case Bullets():
            shown = f"<ul>{''.join(f'<li>{inline.html(item)}</li>' for item in block.items)}</ul>"
        case Code():
            lines = escape("\n".join(map(visible, block.lines)))
            shown = f'<pre tabindex="0" class="{escape(block.language)}"><code>{lines}</code></pre>'
        case Table():
            shown = table(block)
        case Figure():
            shown = figure(block)
        case Fold():
            content = text(block.blocks, name)
            shown = f"<details><summary>{inline.html(block.summary)}</summary>\n{content}\n</details>"
        case Tree() | Icicle() | Timeline():
            shown = opening.text(block)
        case _:
            assert_never(block)
    return shown


def section(block: Section, name: Callable[[Section], str]) -> str:
    """A section with its heading, if it has one."""
    own = name(block)
    identified = f' id="{escape(own)}"' if own else ""
    heading = f"<h{block.level}>{inline.html(block.title)}</h{block.level}>" if block.title else ""
    return f"<section{identified}>\n{heading}\n{text(block.blocks, name)}\n</section>"


def table(block: Table) -> str:
    """A table; a cell whose value is known carries it, so that a script can sort by it."""
    if not block.rows:
        return ""
    values = block.values or [[None] * len(block.columns)] * len(block.rows)
    head = "".join(heading(column) for column in block.columns)
    body = "".join(row(block.columns, *cells) for cells in zip(block.rows, values, strict=True))
    name = escape(f"table by {inline.plain(block.columns[0].heading) or 'name'}")
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{name}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
    )


def heading(column: Column) -> str:
    """A column's heading; a column without one has an empty cell there."""
    words = inline.html(column.heading)
    return f'<th scope="col" class="{column.align}">{words}</th>' if words else "<td></td>"


def row(columns: Sequence[Column], cells: Sequence[str], values: Sequence[float | None]) -> str:
    """A row; its first cell names it."""
    shown = []
    for index, (column, cell, value) in enumerate(zip(columns, cells, values, strict=True)):
        tag = '<th scope="row"' if index == 0 and cell else "<td"
        known = "" if value is None else f' data-value="{value!r}"'
        shown.append(f'{tag} class="{column.align}"{known}>{inline.html(cell)}{"</th>" if tag != "<td" else "</td>"}')
    return f"<tr>{''.join(shown)}</tr>\n"


def figure(block: Figure) -> str:
    """A figure as part of the page, in the colours of its theme."""
    words = inline.plain(block.words)
    svg = block.svg.replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)
    for colour, themed in THEMED.items():
        svg = svg.replace(colour, themed)
    caption = f"<figcaption>{escape(words)}</figcaption>"
    return f'<figure><div class="scroll" tabindex="0">{svg}</div>{caption}</figure>'
