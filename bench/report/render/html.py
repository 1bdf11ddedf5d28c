"""Blocks as HTML in one piece, for a notebook: figures are within it."""

from base64 import b64encode
from collections.abc import Iterable

from markdown_it import MarkdownIt

from bench.report.document import Block, Figure, Fold, Section
from bench.report.render import inline, markdown

PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")


def text(blocks: Iterable[Block]) -> str:
    """The blocks, one after the other."""
    return "\n".join(map(block_text, blocks))


def block_text(block: Block) -> str:
    """One block; empty for a table without rows. What a run's files hold stays text."""
    match block:
        case Section():
            return "\n".join(filter(None, [str(PARSER.render(markdown.heading(block))), text(block.blocks)]))
        case Figure():
            source = f"data:image/png;base64,{b64encode(block.png).decode()}"
            return f'<img alt="{quoted(block.words)}" src="{source}">'
        case Fold():
            return f"<details><summary>{inline.html(block.summary)}</summary>\n{text(block.blocks)}\n</details>"
        case _:
            return str(PARSER.render(markdown.block_text(block, figures=False)))


def quoted(words: str) -> str:
    """Inline text without marks, for an attribute."""
    return inline.plain(words).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
