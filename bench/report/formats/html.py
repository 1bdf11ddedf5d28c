"""report.html: the page in one file."""

from pathlib import Path

from bench.report.document import Document
from bench.report.html import page

NAME = "report.html"


def write(document: Document, folder: Path) -> None:
    """Write report.html."""
    (folder / NAME).write_text(page.text(document), encoding="utf-8")
