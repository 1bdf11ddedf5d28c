"""The section that says where a model's path differs from step to step."""

from bench.analyse.labels import named
from bench.report.document import Paragraph, Section
from bench.report.page import Page


def section(page: Page) -> Section | None:
    """In one line, which variants' steps differ, and that means are shown; nothing if none do."""
    data = page.data
    if not data.paths:
        return None
    names = ", ".join(f"{named(data, v)} ({most} paths in a trial)" for v, most in data.paths.items())
    words = (
        f"**Steps differ**: not every step runs the same layers in {names}. So the numbers of a trial are the means of "
        "its steps, not their medians, for every variant of the model; a layer took 0 s in a step that did not run it. "
        "Calls, kernels, gradients and memory are those of single steps, so a layer that those did not run has none."
    )
    return Section("", [Paragraph(words)])
