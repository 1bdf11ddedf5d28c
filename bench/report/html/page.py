"""A whole page as HTML: its template, style and script lie beside this file."""

import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report.document import Document, Section
from bench.report.html import blocks
from bench.report.render import inline

HERE = Path(__file__).parent
TEMPLATES = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
LISTED = 2
"""The level of the sections that the page's contents name."""


def text(document: Document) -> str:
    """The page of a document. It loads nothing, and no script but its own may run in it."""
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.js")))
    names = list(names_of(document.sections))
    by_section = {id(section): name for section, name in names}
    return TEMPLATES.get_template("page.html.j2").render(
        title=inline.plain(document.title),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        contents=[(name, inline.plain(section.title)) for section, name in names if section.level == LISTED],
        body=Markup(blocks.text(document.sections, lambda section: by_section.get(id(section), ""))),  # noqa: S704 - `blocks` escapes what it is given
    )


def names_of(sections: Iterable[Section]) -> Iterator[tuple[Section, str]]:
    """Each section of the page with an id from its title; a second one of the same title gets a number."""
    taken: Counter[str] = Counter()
    for section in sections:
        name = re.sub(r"[^a-z0-9]+", "-", inline.plain(section.title).lower()).strip("-") or "part"
        taken[name] += 1
        yield section, name if taken[name] == 1 else f"{name}-{taken[name]}"
