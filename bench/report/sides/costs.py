"""The section of `bench compare` on what training costs on each machine, from the prices of their hours."""

import pandas as pd

from bench.core.text import marked
from bench.report.document import Block, Paragraph, Section, Table, explained
from bench.report.page import ComparePage
from bench.report.words import interval, number

WORDS = (
    "*A million* and *an epoch* (60,000 images) are the hours that they take times the price of an hour, in the "
    "currency of the prices. Brackets hold the 95 % interval of the run's median step over its rounds; what differs "
    "between the machines besides is not in it. *At the roofs*: if the machine did the step in the least time in which "
    "it could; what a faster kernel may save. *Choice*: no other row of the same model is at least as fast and at "
    "least as cheap. Rows of other precisions count too: whether a network learns as well with them is not measured."
)


def section(page: ComparePage) -> Section | None:
    """A row a priced run and variant, the cheapest first; nothing without prices."""
    if page.costs is None:
        return None
    if page.costs.empty:
        return Section("Cost", [Paragraph("No run with a price has a variant that its rounds measured.")])
    rows = [cells(row) for row in page.costs.to_dict("records")]
    unknown = {name for name in rows[0] if not any(row[name] for row in rows)}
    rows = [{name: words for name, words in row.items() if name not in unknown} for row in rows]
    blocks: list[Block] = [Paragraph(choice_words(page.costs)), Table.of(rows), explained(WORDS)]
    return Section("Cost", blocks)


def cells(row: dict[str, object]) -> dict[str, str]:
    """A row as the page shows it."""
    of = pd.Series(row)
    return {
        "run": str(of.run),
        "variant": str(of.variant),
        "an hour": number(of.price_per_h),
        "items/s": number(of.items_per_s),
        "hours a million": number(of.million_h),
        "a million": cost(of, "million_cost"),
        "an epoch": cost(of, "epoch_cost"),
        "a million at the roofs": number(of.million_cost_at_roof),
        "choice": "yes" if of.choice else "",
    }


def cost(row: "pd.Series[float]", name: str) -> str:
    """A cost with its bounds, to as many digits as three of the estimate need."""
    value = float(row[name])
    shown = number(value)
    digits = len(shown.partition(".")[2])
    return interval(value, float(row[f"{name}_lo"]), float(row[f"{name}_hi"]), digits=digits)


def choice_words(costs: pd.DataFrame) -> str:
    """The cheapest and the fastest of the choices."""
    cheapest, fastest = costs.loc[costs.million_cost.idxmin()], costs.loc[costs.million_h.idxmin()]
    words = f"The cheapest: {told(cheapest)}."
    if fastest.name != cheapest.name:
        times = number(cheapest.million_h / fastest.million_h)
        more = number(fastest.million_cost / cheapest.million_cost)
        words += f" The fastest: {told(fastest)}; it is {times} times as fast and costs {more} times as much."
    return words


def told(row: "pd.Series[float]") -> str:
    """A row in words."""
    return f"**{marked(str(row.variant))}** on {marked(str(row.run))}, {number(row.million_cost)} a million items"
