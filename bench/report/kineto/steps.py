"""How long the steps took and what their time went to."""

from bench.analyse.kineto.found import Found
from bench.analyse.kineto.steps import Part, Steps
from bench.core.text import MOST_OF_A_REASON, marked
from bench.report.document import Marked, Paragraph, Section, Table, explained
from bench.report.words import count_of, percent, seconds

MOST_STEPS = 20


def section(found: Found, _: str) -> Section:
    """A row for the mean and one for each of the first steps."""
    steps = found.steps
    left = len(steps.names) - MOST_STEPS
    rest = [Paragraph(f"{count_of(left, 'more step')} in `tables/steps.csv`.")] if left > 0 else []
    return Section("Steps", [table(steps), *rest, explained(words(steps))])


def table(steps: Steps, most: int = MOST_STEPS) -> Table:
    """The mean with its shares, then each of the first steps."""
    total = float(steps.duration_ns.mean())
    means = {part: float(found.mean()) for part, found in steps.parts.items()}
    shares = {str(part): f"{seconds(ns / 1e9)} ({percent(ns / total)})" if total else "" for part, ns in means.items()}
    rows: list[dict[str, object]] = []
    if len(steps.names) > 1:
        rows.append({"step": Marked("**mean**"), "time": seconds(total / 1e9), **shares})
    for index, name in enumerate(steps.names[:most]):
        own = {str(part): seconds(int(found[index]) / 1e9) for part, found in steps.parts.items()}
        times = shares if len(steps.names) == 1 else own
        rows.append({"step": name, "time": seconds(int(steps.duration_ns[index]) / 1e9), **times})
    return Table.of(rows, MOST_OF_A_REASON)


def words(steps: Steps) -> str:
    """How the parts are counted."""
    order = ", ".join(part for part in Part if part in steps.parts)
    marks = "" if steps.are_marked else " The trace marks no steps, so the whole of it stands as one."
    device = (
        " A step ends with the last work on the device that it launched, and the next one begins then."
        if {Part.KERNEL, Part.COPY, Part.SET} & set(steps.parts) and steps.are_marked
        else ""
    )
    return (
        f"The parts add up to the step: each instant counts once, for the first of these that was under way anywhere: "
        f"{marked(order, MOST_OF_A_REASON)}.{device}{marks}"
    )


def busiest(steps: Steps) -> tuple[Part, float]:
    """The part that takes most of the steps, and its share."""
    totals = {part: int(found.sum()) for part, found in steps.parts.items()}
    part = max(totals, key=lambda name: totals[name])
    return part, totals[part] / max(int(steps.duration_ns.sum()), 1)
