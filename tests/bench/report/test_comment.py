"""Text for a comment on GitHub: nobody is called, nothing is linked, and it looks as it did."""

import pytest
from markdown_it import MarkdownIt

from bench.core.text import code, marked
from bench.report.document import Block, Bullets, Code, Fold, Note, Paragraph, Section, Table
from bench.report.render import comment

APART = "\u200b"


def rendered(inline: str) -> str:
    """The text that GitHub looks through for names: that of the rendered Markdown, outside of code."""
    tokens = MarkdownIt("commonmark").parseInline(comment.unlinked(inline))[0].children or []
    return "".join(token.content for token in tokens if token.type != "code_inline")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@octocat", "@|octocat"),
        ("mail me@example.com", "mail me@|example.com"),
        ("@org/team", "@|org/team"),
        ("\\@octocat", "\\@|octocat"),
        ("`@octocat", "`@|octocat"),
        ("#123", "#|123"),
        ("owner/name#7", "owner/name#|7"),
        ("&#64;octocat", "&#|64;octocat"),
        ("gh-12 GH-12", "gh-|12 GH-|12"),
        (":smile:", ":|smile:"),
        (":x://a", ":|x://a"),
        ("owner/name@0123456789", "owner/name@|0123456789"),
    ],
)
def test_text_from_outside_calls_nobody_and_links_nothing(text: str, shown: str) -> None:
    assert rendered(marked(text)) == shown.replace("|", APART)


@pytest.mark.parametrize("text", ["module:make", "# heading", "a #b", "1.02 [0.98, 1.05]", "GH", "12:30", "p < 1e-6"])
def test_other_text_is_as_it_was(text: str) -> None:
    assert comment.unlinked(marked(text)) == marked(text)


@pytest.mark.parametrize("text", ["@octocat", "a`@octocat`", "#1 :x:", "``@b```"])
def test_code_is_as_it_was(text: str) -> None:
    """GitHub looks for no names in code."""
    assert comment.unlinked(code(text)) == code(text)


def test_what_only_looks_like_code_is_text() -> None:
    """Two runs of backticks of different lengths are no code, so what is between them is looked through."""
    assert rendered("``@octocat`") == f"``@{APART}octocat`"
    assert rendered("\\`@octocat\\`") == f"`@{APART}octocat`"


def test_every_kind_of_block_is_unlinked_but_code() -> None:
    name = marked("@octocat")
    inner: list[Block] = [
        Paragraph(name),
        Note(name),
        Bullets([name]),
        Table.of([{"@octocat": "@octocat"}]),
        Fold(name, [Paragraph(name)]),
    ]
    written = comment.text([Section(name, [*inner, Code(["curl @octocat"], "sh")], level=3)])

    assert written.count("@&#8203;octocat") + written.count("@\u200boctocat") == 8
    assert written.count("@octocat") == 1
