"""Blocks as GitHub's Markdown."""

import re
from collections.abc import Iterable
from typing import assert_never

from tabulate import tabulate

from bench.core.text import fence
from bench.report.document import (
    Block,
    Bullets,
    Code,
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
from bench.report.render import inline

FIGURES = "figures"
"""The folder beside a page that holds its figures."""
OPENING = re.compile(r"[#>=]|[-+*](?=[-\s]|$)|\d+(?=[.)](?:\s|$))")
"""The beginning of a line that opens a heading, a quote or a list."""


def text(blocks: Iterable[Block], *, figures: bool = True) -> str:
    """The blocks with an empty line between them; figures are left out if `figures` is False."""
    return joined(*(block_text(block, figures=figures) for block in blocks))


def block_text(block: Block, *, figures: bool) -> str:
    """One block; empty if nothing of it is shown: a table without rows, what only opens, a figure that is left out."""
    match block:
        case Section():
            shown = joined(heading(block), text(block.blocks, figures=figures))
        case Paragraph():
            shown = line(block.text)
        case Note():
            shown = f"**{line(block.text)}**"
        case Bullets():
            shown = "\n".join(f"- {line(item)}" for item in block.items)
        case Code():
            shown = "\n".join(fence(block.lines, block.language))
        case Table():
            shown = table(block)
        case Figure():
            shown = f"![{alternative(block.words)}]({FIGURES}/{block.name}.png)" if figures else ""
        case Fold():
            opening = f"<details><summary>{inline.html(one_line(block.summary))}</summary>"
            within = text(block.blocks, figures=figures)
            shown = joined(opening, within, "</details>") if within else ""
        case Tree() | Icicle() | Timeline():
            shown = ""
        case _:
            assert_never(block)
    return shown


def joined(*parts: str) -> str:
    """The parts that aren't empty, with an empty line between them."""
    return "\n\n".join(filter(None, parts))


def heading(section: Section) -> str:
    """A section's title as a heading; empty if it has none."""
    title = re.sub(r"(?<!\S)#+$", r"\\\g<0>", line(section.title))  # Markdown drops such an end of a heading
    return f"{'#' * section.level} {title}" if title else ""


def alternative(text: str) -> str:
    """Inline text without marks, escaped for an image's name, which a bracket would end."""
    return re.sub(r"[\\`*_<>&~\[\]]", r"\\\g<0>", inline.plain(one_line(text)))


def table(shown: Table) -> str:
    """A table with its cells padded to columns; empty if it has no rows."""
    if not shown.rows:
        return ""
    written: str = tabulate(
        [[cell(text) for text in row] for row in shown.rows],
        headers=[cell(column.heading) for column in shown.columns],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=[column.align for column in shown.columns],
    )
    return written


def cell(text: str) -> str:
    """Inline text in one line that does not end a cell."""
    return one_line(text).replace("|", "\\|")


def line(text: str) -> str:
    """Inline text in one line that is a paragraph, and does not open a heading, a quote or a list."""
    shown = one_line(text)
    opening = OPENING.match(shown)
    if opening is None:
        return shown
    at = opening.end() if opening[0].isdigit() else 0
    return f"{shown[:at]}\\{shown[at:]}"


def one_line(text: str) -> str:
    """The text without ends of lines, and without blanks around it."""
    return " ".join(text.splitlines()).strip()
