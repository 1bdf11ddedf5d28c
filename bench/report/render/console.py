"""Blocks as a terminal shows them."""

from collections.abc import Iterable
from typing import assert_never

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.core.text import visible
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
from bench.report.render.inline import styled

TITLE, NOTE = "italic", "bold"


def show(console: Console, blocks: Iterable[Block]) -> None:
    """Print blocks one below the other; the terminal wraps long lines."""
    for block in blocks:
        match block:
            case Section(title=title, blocks=within) | Fold(summary=title, blocks=within):
                lines(console, [styled(title, TITLE)] if title else [])
                show(console, within)
            case Paragraph():
                lines(console, [styled(block.text)])
            case Note():
                lines(console, [styled(block.text, NOTE)])
            case Bullets():
                lines(console, map(styled, block.items))
            case Code():
                lines(console, (Text(f"  {visible(line)}") for line in block.lines))
            case Table():
                table(console, block)
            case Figure():
                lines(console, [styled(block.words).append(f" ({block.name}.png)")])
            case Tree() | Icicle() | Timeline():
                pass
            case _:
                assert_never(block)


def lines(console: Console, texts: Iterable[Text]) -> None:
    """Print each text as a line of its own."""
    for text in texts:
        console.print(text, soft_wrap=True)


def table(console: Console, shown: Table) -> None:
    """Print a table, unless it has no rows; a cell that is too wide continues on the next line."""
    if not shown.rows:
        return
    printed = RichTable(box=box.SIMPLE_HEAD)
    for column in shown.columns:
        printed.add_column(styled(column.heading), justify=column.align, overflow="fold")
    for row in shown.rows:
        printed.add_row(*map(styled, row))
    console.print(printed)
