"""Inline text of CommonMark, parsed for outputs other than Markdown."""

from collections import Counter
from collections.abc import Iterator

from markdown_it import MarkdownIt
from rich.text import Text

from bench.core.text import visible

PARSER = MarkdownIt("commonmark", {"html": False})
STYLES = {"strong": "bold", "em": "italic", "code": "cyan"}
"""A terminal's style for each of HTML's tags."""


def spans(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The pieces of inline text, each `visible`, with the HTML tags around it: strong, em, code."""
    opened: Counter[str] = Counter()
    for line in PARSER.parseInline(text):
        for token in line.children or ():
            opened[token.tag] += token.nesting
            content = " " if token.type in ("softbreak", "hardbreak") else token.content
            if content:
                yield visible(content), frozenset({tag for tag in STYLES if opened[tag] or token.tag == tag})


def plain(text: str) -> str:
    """Inline text without its marks."""
    return "".join(content for content, _ in spans(text))


def html(text: str) -> str:
    """Inline text as HTML."""
    return str(PARSER.renderInline(text))


def styled(text: str, style: str = "") -> Text:
    """Inline text for a terminal, in a style and its own."""
    shown = Text(style=style)
    for content, tags in spans(text):
        shown.append(content, " ".join(STYLES[tag] for tag in sorted(tags)))
    return shown
