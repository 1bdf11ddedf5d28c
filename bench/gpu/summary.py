"""summary.md: the outcome of the acceptance, for a reader."""

from collections.abc import Mapping, Sequence

from bench.core.text import MOST_OF_A_REASON, marked
from bench.gpu.checks import COLUMNS, Check, Status, tally
from bench.gpu.plan import Step

SHOWN = tuple(name for name in COLUMNS if name != "step")


def page(steps: Sequence[Step], checks: Sequence[Check], facts: Mapping[str, str], *, rehearse: bool) -> str:
    """The page: what is wrong first, then the machine, then every step."""
    wrong = [check for check in checks if check.status in (Status.FAILED, Status.ERROR)]
    lines = [f"# {title(facts, rehearse=rehearse)}", "", f"{tally(checks)}.", ""]
    lines += ["## What is wrong", "", *(table(wrong) or ["Nothing of what was measured."]), ""]
    lines += ["## The machine", "", *facts_table(facts), ""] if facts else []
    for step in steps:
        own = [check for check in checks if check.step == step.name]
        lines += [f"## {step.title[0].upper()}{step.title[1:]}", "", *table(own), ""] if own else []
    return "\n".join(lines)


def title(facts: Mapping[str, str], *, rehearse: bool) -> str:
    """The page's title: what was run, and on which GPU."""
    if rehearse:
        return "Rehearsal on the CPU: this says nothing about a GPU"
    return f"Acceptance on {marked(facts.get('GPU', 'a machine whose GPU was not found'))}"


def facts_table(facts: Mapping[str, str]) -> list[str]:
    """The facts, a row each."""
    rows = [f"| {cell(name)} | {cell(value)} |" for name, value in facts.items()]
    return ["| what | value |", "| --- | --- |", *rows]


def table(checks: Sequence[Check]) -> list[str]:
    """The checks, a row each; nothing without any."""
    if not checks:
        return []
    rows = [[cell(row[name]) for name in SHOWN] for row in (check.row() for check in checks)]
    return [f"| {' | '.join(SHOWN)} |", f"|{' --- |' * len(SHOWN)}", *(f"| {' | '.join(row)} |" for row in rows)]


def cell(text: str) -> str:
    """Text as a cell of a table shows it."""
    return marked(text, MOST_OF_A_REASON).replace("|", "\\|")
