"""Blocks as Markdown for a comment on GitHub, in which no text calls a person or links to anything.

GitHub makes mentions (`@name`), links to issues (`#1`, `GH-1`) and emoji (`:name:`) of text that is already rendered,
so neither a backslash nor an entity stops it. A space of no width within such a text does; in code nothing is needed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

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
from bench.report.render import markdown

APART = "&#8203;"
"""A space of no width (U+200B)."""
PARTS = re.compile(
    r"(?P<kept>\\[^@#:]|&#?\w+;|(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"  # an escape, an entity, code
    r"|(?P<begins>@|#(?=\d)|\bGH-(?=\d)|:(?=[\w+-]+(?::|&#58;)))",
    re.IGNORECASE,
)


def text(blocks: Iterable[Block]) -> str:
    """The blocks as Markdown, without their figures."""
    return markdown.text(map(quiet, blocks), figures=False)


def quiet(block: Block) -> Block:
    """The block with its text unlinked; code and figures as they are."""
    match block:
        case Section():
            return replace(block, title=unlinked(block.title), blocks=list(map(quiet, block.blocks)))
        case Fold():
            return replace(block, summary=unlinked(block.summary), blocks=list(map(quiet, block.blocks)))
        case Paragraph() | Note():
            return replace(block, text=unlinked(block.text))
        case Bullets():
            return Bullets(list(map(unlinked, block.items)))
        case Table():
            columns = [Column(unlinked(column.heading), column.align) for column in block.columns]
            return Table(columns, [list(map(unlinked, row)) for row in block.rows])
        case Code() | Figure() | Tree() | Icicle() | Timeline():  # a comment shows code as it is, and no others
            return block
        case _:
            assert_never(block)


def unlinked(inline: str) -> str:
    """Inline text that GitHub makes no mention, link or emoji of; it looks the same."""
    return PARTS.sub(lambda part: part["kept"] or f"{part['begins']}{APART}", inline)
