"""What a page says: sections made of typed blocks, once, for every renderer.

All text in them is inline text of CommonMark: `*emphasis*`, `**strong text**` and code in backticks. Text from outside
is put through `core.text.marked` or `core.text.code` first; `Table.of` does so for its cells. The lines of `Code` are
the exception: they are plain. A renderer that needs other output than Markdown parses inline text (`render.inline`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import matplotlib.figure

from bench.core.text import MOST_SHOWN, distinct, escaped
from bench.report.figures import saving

Alignment = Literal["left", "right"]


class Marked(str):
    """A cell that is inline text already: `Table.of` leaves it as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that no reader should miss, without strong text of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, one line an item."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Code:
    """Plain lines to copy, in a language: `python`, `sh` or `text`."""

    lines: Sequence[str]
    language: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    heading: str
    align: Alignment = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under headings; no renderer shows a table without rows."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, object]], most: int = MOST_SHOWN) -> "Table":
        """A table of plain cells by their column's heading; a column of numbers is aligned to the right.

        Text is escaped and cut to `most` letters; what differs within a column stays different. A cell that is None
        or that a row lacks is empty.
        """
        plain = list(rows)
        names = list(dict.fromkeys(name for row in plain for name in row))
        columns = [[_cell(row.get(name)) for row in plain] for name in names]
        headings = _inline(names, most)
        return cls(
            [Column(heading, _alignment(cells)) for heading, cells in zip(headings, columns, strict=True)],
            list(zip(*(_inline(cells, most) for cells in columns), strict=True)),
        )


def _cell(value: object) -> str:
    """A value as the text of a cell."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value)


def _inline(cells: Sequence[str], most: int) -> list[str]:
    """The cells of a column as inline text."""
    texts = [cell for cell in cells if not isinstance(cell, Marked)]
    shown = dict(zip(texts, map(escaped, distinct(texts, most)), strict=True))
    return [cell if isinstance(cell, Marked) else shown[cell] for cell in cells]


def _alignment(cells: Sequence[str]) -> Alignment:
    """Right if most of the cells that aren't empty look like numbers."""
    filled = [cell for cell in cells if cell]
    numeric = sum(cell[0].isdigit() or cell[0] in "-." for cell in filled)
    return "right" if numeric > len(filled) / 2 else "left"


@dataclass(frozen=True)
class Figure:
    """A figure by its name, which is that of a file. It is drawn when a renderer first shows it."""

    name: str
    draw: Callable[[], matplotlib.figure.Figure]
    words: str
    """What it shows, for a reader who can't see it."""

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, drawn once for all renderers."""
        return saving.png(self.draw())


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that a reader opens to see."""

    summary: str
    blocks: "Sequence[Block]"


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title: level 1 is the page's own, 2 a section's, 3 that of a section within one.

    A section without a title continues the one before it.
    """

    title: str
    blocks: "Sequence[Block]"
    level: int = 2


Block = Paragraph | Note | Bullets | Code | Table | Figure | Fold | Section


@dataclass(frozen=True, slots=True)
class Document:
    """A page: its sections in their order, the first with the page's title."""

    sections: Sequence[Section] = ()

    @classmethod
    def of(cls, sections: Iterable[Section | None]) -> "Document":
        """The document of those sections that have something to say."""
        joined: list[Section] = []
        for section in sections:
            if section is None:
                continue
            if joined and not section.title:
                joined[-1] = replace(joined[-1], blocks=[*joined[-1].blocks, *section.blocks])
            else:
                joined.append(section)
        return cls(joined)

    @property
    def title(self) -> str:
        """The title of the page."""
        return self.sections[0].title if self.sections else ""

    @property
    def figures(self) -> Iterator[Figure]:
        """The figures of all sections, in their order."""
        return figures(self.sections)


def figures(blocks: Iterable[Block]) -> Iterator[Figure]:
    """The figures among some blocks and within them."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, (Fold, Section)):
            yield from figures(block.blocks)


def paragraphs(sentences: Iterable[str]) -> list[Block]:
    """Each sentence as a paragraph of its own."""
    return [Paragraph(sentence) for sentence in sentences]
