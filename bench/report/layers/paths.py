"""The section on models whose steps take different paths."""

from bench.analyse.labels import named
from bench.report.document import Paragraph, Section
from bench.report.page import Page


def section(page: Page) -> Section | None:
    """One line: which variants' steps differ, and that numbers are means; nothing if no steps differ."""
    data = page.data
    if not data.paths:
        return None
    names = ", ".join(f"{named(data, v)} ({most} paths in a trial)" for v, most in data.paths.items())
    words = (
        f"**Steps differ**: not every step runs the same layers in {names}. So the numbers of a trial are the means of "
        "its steps, not their medians, for every variant of the model; a layer took 0 s in a step that did not run it. "
        "Calls, kernels, gradients and memory come from single steps, so a layer that these did not run has none."
    )
    return Section("", [Paragraph(words)])
