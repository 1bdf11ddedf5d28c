"""report.md of a run: its sections in a fixed order. Every sentence is made from the data."""

from pathlib import Path

from bench.analyse import changes, deaths, tables
from bench.analyse.load import RunData
from bench.analyse.traces import trace
from bench.report.layers import alone, layers, paths, traced
from bench.report.outcome import curves, results, sustained
from bench.report.page import AbPage, Report, TracedPage
from bench.report.sides import ab
from bench.report.trust import checks, noise, provenance

SECTIONS = (
    results.title,
    results.answer_section,
    results.variants_section,
    sustained.section,
    paths.section,
    results.where_section,
    layers.section,
    alone.section,
    results.memory_section,
    curves.loaders_section,
    curves.threads_section,
    curves.batch_section,
    results.compile_section,
    traced.section,
    checks.section,
    provenance.failures_section,
    noise.section,
    provenance.environment_section,
    provenance.repeat_section,
)
PROFILE_SECTIONS = (
    results.profile_title,
    traced.section,
    noise.warnings_section,
    provenance.failures_section,
    provenance.environment_section,
    provenance.repeat_section,
)
AB_SECTIONS = (
    ab.title,
    ab.changed_section,
    ab.steps_section,
    paths.section,
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
        folder=out / data.run.run_id,
        steps=tables.steps(data),
        layers=tables.layers(data),
        memory=tables.memory(data),
        numerics=tables.numerics(data),
        traces=trace.read(data),
    )
    traced.write_tables(report)
    for name in ("steps", "layers", "memory", "numerics"):
        report.table(name, getattr(report, name))
    report.write([line for section in SECTIONS for line in section(report)])
    return report


def write_profile(data: RunData, out: Path) -> TracedPage:
    """Write reports/<run_id>/ of `bench profile` without a run; what it was made from."""
    page = TracedPage(data=data, folder=out / data.run.run_id, traces=trace.read(data))
    traced.write_tables(page)
    page.write([line for section in PROFILE_SECTIONS for line in section(page)])
    return page


def write_ab(data: RunData, out: Path) -> AbPage:
    """Write reports/<run_id>/ of `bench ab`; what it was made from."""
    page = AbPage(data=data, folder=out / data.run.run_id, changes=changes.changes(data), deaths=deaths.deaths(data))
    page.table("changes", changes.frame(page.changes))
    page.write([line for section in AB_SECTIONS for line in section(page)])
    return page
