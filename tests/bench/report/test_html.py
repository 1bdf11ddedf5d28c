"""The page as one HTML file: what is in it, read by an HTML parser."""

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from bench.analyse.load import RunData
from bench.core.text import marked, visible
from bench.report import pages
from bench.report.document import Branch, Column, Document, Icicle, Paragraph, Section, Span, Table, Tree
from bench.report.formats import html
from bench.report.html import blocks, page
from bench.report.words import interval, percent, seconds, size, spread_seconds
from tests.bench.report.test_document import ANY, HOSTILE, document_of

pytestmark = pytest.mark.rendered

MakeRun = Callable[..., Path]
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.words: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def elements(*sections: Section) -> Elements:
    return Elements(page.text(Document(sections)))


def test_the_page_loads_nothing_and_runs_its_own_script_alone(full_run: RunData, tmp_path: Path) -> None:
    written = pages.write(full_run, tmp_path).folder / html.NAME
    content = written.read_text()
    found = Elements(content)
    script = re.search(r"<script>(.*?)</script>", content, re.DOTALL)
    assert script is not None
    own = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = next(meta["content"] for meta in found.of("meta") if "http-equiv" in meta)

    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{own}'" in policy
    assert len(found.of("script")) == 1
    for tag, attributes in found.found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert found.unbalanced == []
    assert len(content) < 1_500_000


def test_ids_are_unique_and_the_contents_lead_to_them(full_run: RunData, tmp_path: Path) -> None:
    found = Elements((pages.write(full_run, tmp_path).folder / html.NAME).read_text())
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    targets = {str(link["href"])[1:] for link in found.of("a")}

    assert len(ids) == len(set(ids))
    assert targets <= set(ids)
    assert {"the-answer", "variants", "layers", "memory"} <= targets


@given(ANY)
@settings(max_examples=60, deadline=None)
def test_text_from_outside_stays_text(text: str) -> None:
    """The elements are the same whatever the text, which is shown as it is."""
    plain, hostile = (Elements(page.text(document_of(marked(t)))) for t in ("x", text))

    assert [tag for tag, _ in plain.found if tag != "title"] == [tag for tag, _ in hostile.found if tag != "title"]
    assert hostile.unbalanced == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_shown_in_every_block_that_opens(text: str) -> None:
    tree = Tree([Column("layer")], [Branch([marked(text)], [Branch(["leaf"])])], "layers")
    shown = elements(Section("Page", [tree, Icicle(Span(text, 1.0), "parts")]))

    assert visible(text).strip() in "".join(shown.words).replace("\n", "")
    assert shown.of("script") == [{}]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (seconds(0.25), 0.25), (spread_seconds(1.5, 1.4, 1.6), 1.5), (size(2**21), 2**21), (percent(0.123), 0.123),
        (interval(1.31, 1.27, 1.36), 1.31), (seconds(np.float64(0.5)), 0.5), (7, 7.0), ("12 of 13", None), ("", None),
    ],
)  # fmt: skip
def test_a_cell_carries_the_value_by_which_it_is_sorted(cell: object, value: float | None) -> None:
    table = Table.of([{"name": "x", "cell": cell}])
    found = Elements(blocks.text([table])).of("td")[0]

    shown = found.get("data-value")
    assert (None if shown is None else float(shown)) == value


def test_a_figures_marks_have_words_to_point_at(full_run: RunData, tmp_path: Path) -> None:
    content = (pages.write(full_run, tmp_path).folder / html.NAME).read_text()

    assert re.search(r"<title>round \d+: [\d.,]+ images/s</title>", content)
    assert re.search(r"<title>forward: [\d.]+ m?s</title>", content)
    assert "tips:" not in content


def test_parts_lie_within_their_whole() -> None:
    whole = Span("step", 4.0, [Span("forward", 1.0, [Span("a", 0.25), Span("b", 0.5)]), Span("backward", 3.0)])
    styles = [str(box["style"]) for box in Elements(blocks.text([Icicle(whole, "")])).of("button")]

    assert [style.rpartition(";")[0] for style in styles] == [
        "--left:0.000000;--width:1.000000;--depth:0",
        "--left:0.000000;--width:0.250000;--depth:1",
        "--left:0.000000;--width:0.062500;--depth:2",
        "--left:0.062500;--width:0.125000;--depth:2",
        "--left:0.250000;--width:0.750000;--depth:1",
    ]


def test_without_blocks_the_page_is_still_a_page() -> None:
    assert "nothing here" in elements(Section("Empty", [Paragraph("nothing here")], level=1)).words
