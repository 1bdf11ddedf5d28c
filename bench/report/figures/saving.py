"""A figure as a file.

A mark of a figure may have words that a reader sees when pointing at it. They travel as the mark's gid, which
matplotlib writes as the id of its group in SVG: `tip` sets them, and `svg` makes titles of them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from bench.core.text import visible

SHARPNESS = 2.0
"""Pixels of a PNG by those of the figure's own size."""
SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
TIPS = "tips:"
MARKS = frozenset({f"{SVG}use", f"{SVG}path"})
URL = re.compile(r"url\(#([^)]*)\)")

ET.register_namespace("", "http://www.w3.org/2000/svg")
ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def tip(artist: Artist, *words: str) -> None:
    """Give an artist words to point at: one text for the whole, or one for each of its marks."""
    artist.set_gid(TIPS + json.dumps([visible(text) for text in words]))


def laid_out(figure: Figure) -> Figure:
    """The figure with its parts at their places for good: it is saved twice, and to place them takes longest."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def png(figure: Figure) -> bytes:
    """A figure as PNG at twice its size, without the software's version, so that equal data give equal files."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=SHARPNESS * figure.dpi, metadata={"Software": None})
    return content.getvalue()


def svg(figure: Figure, name: str) -> str:
    """A figure as the text of an SVG element.

    Its marks have titles with the words of `tip`. Its ids begin with the figure's name, so that several figures of one
    page share none. Text stays text, and the ground is that of the page.
    """
    content = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(content, format="svg", transparent=True, metadata=metadata)
    root = ET.fromstring(content.getvalue())  # noqa: S314 - matplotlib wrote it a moment ago
    for group in list(root.iter(f"{SVG}g")):
        if group.get("id", "").startswith(TIPS):
            add_titles(group, json.loads(group.attrib.pop("id").removeprefix(TIPS)))
    for element in root.iter():
        rename(element, name)
    return ET.tostring(root, encoding="unicode")


def add_titles(group: ET.Element, words: Sequence[str]) -> None:
    """Give a group its one title, or each of its marks the title that is its own."""
    marks = [group] if len(words) == 1 else list(marks_of(group))
    for mark, text in zip(marks, words, strict=True):
        title = ET.Element(f"{SVG}title")
        title.text = text
        mark.insert(0, title)
        mark.set("class", "tip")


def marks_of(group: ET.Element) -> Iterator[ET.Element]:
    """What a group draws, in the order in which it was drawn; what it only defines is left out."""
    for child in group:
        if child.tag in MARKS:
            yield child
        elif child.tag != f"{SVG}defs":
            yield from marks_of(child)


def rename(element: ET.Element, name: str) -> None:
    """Put the figure's name before an element's id, and before those that it refers to."""
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.attrib['id']}")
    if element.get(HREF, "").startswith("#"):
        element.set(HREF, f"#{name}-{element.attrib[HREF][1:]}")
    for key, value in element.attrib.items():
        if "url(#" in value:
            element.set(key, URL.sub(rf"url(#{name}-\1)", value))
