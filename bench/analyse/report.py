"""report.md of a run: its sections in a fixed order. Every sentence is made from the data."""

from pathlib import Path

from bench.analyse import ab, changes, checks, curves, layers, noise, provenance, results, tables
from bench.analyse.load import RunData
from bench.analyse.page import AbPage, Report

SECTIONS = (
    results.title,
    results.answer_section,
    results.variants_section,
    results.where_section,
    layers.section,
    results.memory_section,
    curves.loaders_section,
    curves.threads_section,
    curves.batch_section,
    results.compile_section,
    checks.section,
    provenance.failures_section,
    noise.section,
    provenance.environment_section,
    provenance.repeat_section,
)
AB_SECTIONS = (
    ab.title,
    ab.changed_section,
    ab.steps_section,
    ab.cells_section,
    provenance.failures_section,
    noise.section,
    provenance.environment_section,
    provenance.repeat_section,
)


def write(data: RunData, out: Path) -> Report:
    """Write reports/<run_id>/ of `bench run` with report.md, figures and tables; what it was made from."""
    report = Report(
        data=data,
        folder=out / str(data.run["run_id"]),
        steps=tables.steps(data),
        layers=tables.layers(data),
        memory=tables.memory(data),
        numerics=tables.numerics(data),
    )
    for name in ("steps", "layers", "memory", "numerics"):
        report.table(name, getattr(report, name))
    report.write([line for section in SECTIONS for line in section(report)])
    return report


def write_ab(data: RunData, out: Path) -> AbPage:
    """Write reports/<run_id>/ of `bench ab`; what it was made from."""
    page = AbPage(data=data, folder=out / str(data.run["run_id"]), changes=changes.changes(data))
    page.table("changes", changes.frame(page.changes))
    page.write([line for section in AB_SECTIONS for line in section(page)])
    return page
