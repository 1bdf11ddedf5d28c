"""A document in each format: what its blocks look like, and that no text from outside changes them."""

import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.figure import Figure as Drawing
from rich.console import Console

from bench.analyse.load import load
from bench.core.text import code, marked, visible
from bench.report import formats, pages
from bench.report.document import (
    Block,
    Branch,
    Bullets,
    Code,
    Column,
    Document,
    Figure,
    Fold,
    Icicle,
    Marked,
    Note,
    Paragraph,
    Section,
    Span,
    Table,
    Tree,
)
from bench.report.page import Report
from bench.report.render import console, inline, markdown, tensorboard

pytestmark = pytest.mark.rendered

BASE = "cpu-default-nchw-eager-b32"
HOSTILE = [
    "a|b", "\\|", "||", "|---|", "`", "``a```b", "```", "<script>alert(1)</script>", "</summary>", "</details>", "<!--",
    "a\nb", "\r\n", "\n\n# heading\n\n", "# x", "#", "x #", "> x", "- x", "+ x", "* x", "---", "===", "1. x", "2) x",
    "    x", "\tx", "**x**", "*x*", "__x__", "~~x~~", "[x](http://evil.example)", "![x](http://evil.example/x.png)",
    "[x]: http://evil.example", "0]", "](x)", "<http://evil.example>", "&lt;", "\\", "a\\", "\x1b[2J", "\u202egnp.exe",
    "\ud800", "[red]x[/red]", ":smile:", " ", "",
]  # fmt: skip
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(HOSTILE)
MakeRun = Callable[..., Path]


def drawing() -> Drawing:
    """A small figure."""
    return Drawing(figsize=(1, 1))


def undrawn() -> Drawing:
    """A figure that nobody may draw."""
    raise AssertionError


def blocks_of(text: str, draw: Callable[[], Drawing] = drawing) -> list[Block]:
    """A block of every kind, with the same inline text in each."""
    return [
        Paragraph(f"{text} leads"),
        Paragraph(f"led by {text}"),
        Note(f"note {text}"),
        Bullets([f"{text} one", "two"]),
        Table([Column("name"), Column(f"n {text}", "right")], [[f"row {text}", "1"], ["other", "2"]]),
        Figure("one", draw, f"drawn {text}"),
        Tree(
            [Column("layer"), Column(f"n {text}", "right")],
            [Branch([f"branch {text}", "1"], [Branch(["leaf", "2"])])],
            f"tree {text}",
        ),
        Icicle(Span(text, 2.0, [Span(f"part {text}", 1.0)]), f"parts {text}"),
        Fold(f"fold {text}", [Paragraph("within"), Figure("two", draw, "also drawn")]),
        Section(f"Part {text}", [Code(["x = 1"], "python")], level=3),
    ]


def document_of(text: str, draw: Callable[[], Drawing] = drawing) -> Document:
    """A page of two sections."""
    return Document([Section(f"Page {text}", blocks_of(text, draw), level=1), Section("Last", [Paragraph("end")])])


def in_terminal(document: Document, width: int = 120) -> str:
    """The document as a terminal without colours shows it."""
    out = StringIO()
    console.show(Console(file=out, width=width), document.sections)
    return out.getvalue()


IN_MARKDOWN = """\
# Page *x*

*x* leads

led by *x*

**note *x***

- *x* one
- two

| name    |   n *x* |
|:--------|--------:|
| row *x* |       1 |
| other   |       2 |

![drawn x](figures/one.png)

<details><summary>fold <em>x</em></summary>

within

![also drawn](figures/two.png)

</details>

### Part *x*

```python
x = 1
```

## Last

end"""


def test_every_block_in_markdown() -> None:
    assert markdown.text(document_of("*x*").sections) == IN_MARKDOWN


def test_every_block_in_a_terminal() -> None:
    shown = [line.rstrip() for line in in_terminal(document_of("*x*", undrawn)).splitlines()]

    assert [line for line in shown if line] == [
        "Page x", "x leads", "led by x", "note x", "x one", "two",
        "  name    n x",
        " ─────────────",
        "  row x     1",
        "  other     2",
        "drawn x (one.png)", "fold x", "within", "also drawn (two.png)", "Part x", "  x = 1", "Last", "end",
    ]  # fmt: skip


def test_a_terminal_shows_strong_text_in_bold_and_code_in_a_colour() -> None:
    out = StringIO()
    console.show(Console(file=out, force_terminal=True, color_system="standard"), [Paragraph("**a** `b*` c")])

    assert out.getvalue() == "\x1b[1ma\x1b[0m \x1b[36mb*\x1b[0m c\n"


def test_every_block_in_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    texts: dict[str, str] = {}
    images: dict[str, bytes] = {}
    monkeypatch.setattr(tensorboard.Writer, "text", lambda _, tag, content: texts.update({tag: content}))
    monkeypatch.setattr(tensorboard.Writer, "image", lambda _, tag, content: images.update({tag: content}))
    tensorboard.write_document(document_of("*x*"), tmp_path)

    assert list(texts) == ["01 Page x", "02 Last"]
    assert texts["01 Page x"].startswith("*x* leads\n\nled by *x*\n\n")
    assert "figures/" not in texts["01 Page x"]
    assert "| row *x* |       1 |\n| other   |       2 |\n\n<details>" in texts["01 Page x"]
    assert list(images) == ["one", "two"]
    assert all(content.startswith(b"\x89PNG\r\n") for content in images.values())


def structure(page: str) -> list[str]:
    """The kinds of a page's blocks, and of what within their lines is neither text nor code."""
    kinds = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(page):
        kinds += [
            token.type,
            *(part.type for part in token.children or () if not part.type.startswith(("text", "code"))),
        ]
    return kinds


HARMLESS = structure(markdown.text(document_of("x").sections))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("written", [marked, code])
def test_hostile_text_stays_text_in_every_block(written: Callable[[str], str], text: str) -> None:
    page = markdown.text(document_of(written(text)).sections)
    shown = in_terminal(document_of(written(text), undrawn))
    title, *_ = [token for token in MarkdownIt("commonmark").parse(page) if token.type == "inline"]

    assert structure(page) == HARMLESS
    assert "".join(part.content for part in title.children or ()) == f"Page {inline.plain(written(text))}".rstrip()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert f"led by {inline.plain(written(text))}".rstrip() in [line.rstrip() for line in shown.splitlines()]


@given(ANY)
def test_any_text_stays_text_in_every_block(text: str) -> None:
    assert structure(markdown.text(document_of(marked(text)).sections)) == HARMLESS


@pytest.mark.parametrize("text", ["a\nb", "a\n\n# b", "a\r\n- b", "a\u2028b", "a\n| b"])
def test_a_line_that_ends_by_mistake_ends_no_block(text: str) -> None:
    page = markdown.text(document_of(text).sections)

    assert structure(page) == HARMLESS
    assert "\x1b" not in in_terminal(Document([Section("x", [Paragraph("\x1b[2J")])]))


@given(ANY)
def test_plain_text_is_what_was_marked(name: str) -> None:
    assert inline.plain(marked(name, 10**6)) == visible(name)


def test_a_table_of_plain_cells() -> None:
    table = Table.of([{"name": "a", "n": "1.0"}, {"name": "b|*b*", "n": "", "more": 3}, {"name": Marked("**c**")}])

    assert markdown.table(table).splitlines() == [
        "| name     |   n |   more |",
        "|:---------|----:|-------:|",
        "| a        | 1.0 |        |",
        "| b\\|\\*b\\* |     |      3 |",
        "| **c**    |     |        |",
    ]


def test_cells_that_differ_are_told_apart() -> None:
    [[first], [second]] = Table.of([{"name": "x" * 100}, {"name": "x" * 101}]).rows

    assert first != second
    assert max(len(first), len(second)) <= 70


def test_a_table_without_rows_is_not_shown() -> None:
    nothing: list[Block] = [Paragraph("a"), Table.of([]), Paragraph("b")]

    assert markdown.text(nothing) == "a\n\nb"
    assert in_terminal(Document([Section("", nothing)])) == "a\nb\n"


def test_a_figure_is_drawn_once_for_all_formats(tmp_path: Path) -> None:
    draw = mock.Mock(side_effect=drawing)
    document = document_of("x", draw)
    formats.write(document, tmp_path / "page")
    contents = [figure.png for figure in document.figures]

    assert draw.call_count == len(contents) == 2
    assert contents[0] == (tmp_path / "page" / "figures" / "one.png").read_bytes()


def test_a_section_without_a_title_continues_the_one_before_it() -> None:
    found = Document.of([
        Section("Title", [Paragraph("a")], level=1), None, Section("", [Paragraph("b")]), Section("Next", []),
    ])  # fmt: skip

    assert found.title == "Title"
    assert found.sections == [Section("Title", [Paragraph("a"), Paragraph("b")], level=1), Section("Next", [])]


def test_a_section_from_outside_is_in_the_page(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def section(report: Report) -> Section:
        rows = [{"variant": row.variant_id, "hours": f"{row.epoch_s / 3600:.3f}"} for row in report.steps.itertuples()]
        return Section("Hours an epoch", [Table.of(rows), Figure("hours", drawing, "hours an epoch")])

    monkeypatch.setattr(pages, "SECTIONS", (*pages.SECTIONS, section))
    page = pages.write(load(make_run({(BASE, "A"): [1.0] * 3})), tmp_path)
    text = page.path.read_text()

    assert "## Hours an epoch\n\n| variant                    |   hours |\n" in text
    assert f"| {BASE} |   0.521 |\n\n![hours an epoch](figures/hours.png)" in text  # 60,000 images of 32 a second
    assert (page.folder / "figures" / "hours.png").read_bytes().startswith(b"\x89PNG\r\n")


OUTLINE = '''
"""outline.txt: the titles of a page."""

def write(document, folder):
    (folder / "outline.txt").write_text("\\n".join(section.title for section in document.sections))
'''


@pytest.fixture
def outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A format that is one file more."""
    more = tmp_path / "more"
    more.mkdir()
    (more / "outline.py").write_text(OUTLINE)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(more)])
    yield
    del sys.modules[f"{formats.__name__}.outline"]


@pytest.mark.usefixtures("outline")
def test_a_format_from_outside_lies_beside_the_report(make_run: MakeRun, tmp_path: Path) -> None:
    page = pages.write(load(make_run({(BASE, "A"): [1.0] * 3})), tmp_path)
    titles = (page.folder / "outline.txt").read_text().splitlines()

    assert titles[:3] == ["nin, batch 32, cpu: measured", "The answer", "Variants"]
    assert [line for line in page.path.read_text().splitlines() if line == "## Variants"] == ["## Variants"]
