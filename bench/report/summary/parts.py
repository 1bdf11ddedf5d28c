"""What the summaries of all kinds of runs have: how noisy the run was, and how to see the same again."""

from collections.abc import Sequence

from bench.analyse.load import RunData
from bench.core.text import MOST_OF_A_LINE, code
from bench.report.document import Block, Bullets, Code, Paragraph
from bench.report.page import Page
from bench.report.trust.noise import told_controls
from bench.report.trust.provenance import command_again

MOST_ROWS, MOST_ITEMS, MOST_CONTROLS = 10, 10, 3
"""The most rows of the table, items of a list, and sentences on noise: with them a summary has less than 60 lines."""
LEVEL = 3
"""Of the title: a comment has no title of its own."""
PLACES = ("out", "reports")
"""Options that say where files go: another machine has other folders."""


def items(texts: Sequence[str]) -> Bullets:
    """The first of some items, and how many more the report has."""
    return Bullets([*texts[:MOST_ITEMS], *more(len(texts) - MOST_ITEMS, "item")])


def more(number: int, what: str) -> list[str]:
    """A sentence on what is left out, if anything is."""
    return [f"{number} more {what}{'s' if number > 1 else ''} in the report."] if number > 0 else []


def noise(data: RunData) -> list[Block]:
    """How far identical code differed, from those variants on whose account nothing is decided."""
    told = sorted(told_controls(data), key=lambda pair: not pair[0].noisy)
    sentences = [sentence for _, sentence in told]
    if not sentences:
        return []
    shown = Bullets([*sentences[:MOST_CONTROLS], *more(len(sentences) - MOST_CONTROLS, "control")])
    return [Paragraph("Noise:"), shown]


def again(page: Page) -> list[Block]:
    """What to type to measure the same, and where the report is."""
    where = Paragraph(f"The whole report: {code(str(page.path), MOST_OF_A_LINE)}.")
    command = command_again(page.data.run, *PLACES)
    if not command:
        return [where]
    return [
        Paragraph("To measure the same elsewhere (another machine may answer otherwise):"),
        Code([command], "sh"),
        where,
    ]
