"""The section on what a task does once in many steps, beside the step."""

from bench.analyse.labels import label
from bench.core.text import code
from bench.report.document import Marked, Paragraph, Section, Table
from bench.report.page import Report
from bench.report.words import percent, seconds

TITLE = "Beside the step"
WORDS = (
    "What the task does once in many steps is measured alone, in the pilot, and is not part of the step: no speed and "
    "no verdict counts it. *Adds to a step* is its time divided by those steps, and as a share of the plain step."
)


def section(report: Report) -> Section | None:
    """How long what a task does once in many steps takes, and what that adds to a step; None if it does nothing."""
    rows = [row for variant_id in report.data.runnable for row in rows_of(report, variant_id)]
    return Section(TITLE, [Table.of(rows), Paragraph(WORDS)]) if rows else None


def rows_of(report: Report, variant_id: str) -> list[dict[str, object]]:
    """A row for each kind of such work that was measured with a variant."""
    data, rows = report.data, list[dict[str, object]]()
    step_s = data.spread(variant_id, "wall").estimate
    names = [phase for v, metric, _, _, phase in data.spreads if v == variant_id and metric == "periodic"]
    for name in names:
        took_s = data.spread(variant_id, "periodic", "process", phase=name).estimate
        steps = data.spread(variant_id, "periodic_steps", "process", phase=name).estimate
        rows.append(
            {
                "what": Marked(code(name)),
                "variant": label(data, variant_id),
                "takes": seconds(took_s),
                "once in": f"{steps:,.0f} steps" if steps > 1 else "1 step",
                "adds to a step": f"{seconds(took_s / steps)} ({percent(took_s / steps / step_s)})",
            }
        )
    return rows
