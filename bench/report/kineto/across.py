"""The title of the page, and several ranks side by side."""

import math

from bench.analyse.kineto import found as finding
from bench.analyse.kineto.steps import mean_s
from bench.core.text import marked
from bench.report.document import Block, Note, Paragraph, Section, Table, explained
from bench.report.kineto import steps, trust
from bench.report.page import TracePage
from bench.report.words import count_of, percent, seconds


def title(page: TracePage) -> Section:
    """Which traces, how long their steps are, and what they mostly do."""
    lines: list[Block] = []
    for name, found in zip(page.names, page.found, strict=True):
        part, share = steps.busiest(found.steps)
        number = count_of(len(found.steps.names), "step") if found.steps.are_marked else "no marked steps:"
        devices = ", ".join(marked(device.name) for device in found.trace.head.deviceProperties)
        lines.append(
            Paragraph(
                f"**{marked(name)}**: {number} of {seconds(mean_s(found.steps))}, {percent(share)} of it {part}. "
                f"{found.trace.read:,} events{f'; device: {devices}' if devices else ''}."
            )
        )
        lines += [Note(text) for text in trust.damage(found)]
        lines += [trust.warning(check) for check in found.checks if not check.passed]
    return Section(f"Trace {marked(page.folder.name)}", lines, level=1)


def section(page: TracePage) -> Section:
    """A row a rank."""
    table = finding.across(page.found)
    rows = [
        {
            "rank": row["rank"],
            "steps": row["steps"],
            "step": seconds(row["step_s"]),
            "computation": seconds(row["computation_s"]),
            "communication": seconds(row["communication_s"]),
            "exposed": seconds(row["exposed_s"]),
            "waiting": seconds(row["waiting_s"]),
        }
        for row in table.to_dict("records")
    ]
    words = (
        "Means over the steps. *Exposed* is the communication during which no computation runs. *Waiting* is how much "
        "longer the collectives took than on the rank where the same call was shortest."
    )
    if all(math.isnan(value) for value in table.waiting_s):
        words += " The ranks did not make the same calls, so waiting is not known."
    return Section("Ranks", [Table.of(rows), explained(words)])
