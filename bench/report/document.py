"""The content of a page: sections of typed blocks, made once for every renderer.

Their text is inline text of CommonMark: `*emphasis*`, `**strong text**` and code in backticks. Only the lines of `Code`
are plain. Text from outside must go through `core.text.marked` or `core.text.code` first; `Table.of` escapes its cells
itself. A renderer for other output than Markdown parses inline text (`render.inline`).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import matplotlib.figure

from bench.core.text import MOST_SHOWN, distinct, escaped
from bench.report.figures import saving
from bench.report.words import Number

Alignment = Literal["left", "right"]


class Marked(str):
    """A cell that is already inline text: `Table.of` does not change it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that no reader should miss. Its text has no strong text, since the whole is shown strong."""

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
    values: Sequence[Sequence[float | None]] = ()
    """The value of each cell, by which a reader may sort the rows; None for text. Empty if no values are known."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, object]], most: int = MOST_SHOWN) -> "Table":
        """A table from rows of plain cells by heading; a column of numbers is aligned to the right, if not the first.

        Text is escaped and cut to `most` letters, so that different cells of a column stay different. A cell that is
        None or missing is empty.
        """
        plain = list(rows)
        names = list(dict.fromkeys(name for row in plain for name in row))
        columns = [[_cell(row.get(name)) for row in plain] for name in names]
        headings = _inline(names, most)
        return cls(
            [
                Column(heading, _alignment(cells) if index else "left")
                for index, (heading, cells) in enumerate(zip(headings, columns, strict=True))
            ],
            list(zip(*(_inline(cells, most) for cells in columns), strict=True)),
            [[_value(row.get(name)) for name in names] for row in plain],
        )


def _value(cell: object) -> float | None:
    """The value of a cell if it is a number."""
    if isinstance(cell, Number):
        return cell.value
    return float(cell) if isinstance(cell, (int, float)) and math.isfinite(cell) else None


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
    """A figure, drawn when a renderer first shows it. Its name is also that of its file."""

    name: str
    draw: Callable[[], matplotlib.figure.Figure]
    words: str
    """What it shows, for a reader who can't see it."""

    @cached_property
    def _drawn(self) -> matplotlib.figure.Figure:
        return saving.laid_out(self.draw())

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, drawn once for all renderers."""
        return saving.png(self._drawn)

    @cached_property
    def svg(self) -> str:
        """The figure as SVG, whose marks have the words of `saving.tip`."""
        return saving.svg(self._drawn, self.name)


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are hidden until a reader opens them."""

    summary: str
    blocks: "Sequence[Block]"


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a title of level 1 for the page, 2 for a section, 3 for a section within one.

    A section without a title continues the one before it.
    """

    title: str
    blocks: "Sequence[Block]"
    level: int = 2


@dataclass(frozen=True, slots=True)
class Branch:
    """A row of a tree, with the rows below it. Its cells are inline text, the first one its name."""

    cells: Sequence[str]
    branches: "Sequence[Branch]" = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """Rows that open: only a format that a reader can click in shows it, so it says nothing that tables don't."""

    columns: Sequence[Column]
    branches: Sequence[Branch]
    words: str
    """What it shows."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of something, with the parts that it consists of; what they leave of it is its own."""

    name: str
    """Plain text."""
    seconds: float
    spans: "Sequence[Span]" = ()


@dataclass(frozen=True, slots=True)
class Icicle:
    """Parts within parts, as wide as they take long: shown where a `Tree` is."""

    span: Span
    words: str
    """What it shows, for a reader who can't see it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Something that took place on a track of a timeline. Its texts are plain."""

    start_us: float
    """Microseconds since the timeline begins."""
    duration_us: float
    name: str
    category: str
    """What it is, by which it gets its colour."""


@dataclass(frozen=True, slots=True)
class Track:
    """What took place on one thread, or one stream of a device."""

    name: str
    """Plain text."""
    intervals: Sequence[Interval]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What took place when, to zoom into: shown where a `Tree` is."""

    tracks: Sequence[Track]
    words: str
    """What it shows, for a reader who can't see it."""


Block = Paragraph | Note | Bullets | Code | Table | Figure | Fold | Tree | Icicle | Timeline | Section


@dataclass(frozen=True, slots=True)
class Document:
    """A page: its sections in their order, the first with the page's title."""

    sections: Sequence[Section] = ()

    @classmethod
    def of(cls, sections: Iterable[Section | None]) -> "Document":
        """The document of the sections that are not None."""
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
    """The figures among some blocks and inside them, in their order."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, (Fold, Section)):
            yield from figures(block.blocks)


def explained(*words: str) -> Fold:
    """What the columns of the table above are, for a reader who asks."""
    return Fold("What the columns are", paragraphs(words))


def paragraphs(sentences: Iterable[str]) -> list[Block]:
    """Each sentence as a paragraph of its own."""
    return [Paragraph(sentence) for sentence in sentences]
