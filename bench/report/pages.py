"""report.md of a run: its sections, in a fixed order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.analyse import tables
from bench.analyse.ab import changes, deaths
from bench.analyse.load import RunData
from bench.analyse.traces import trace
from bench.analyse.traces.trace import Trace
from bench.report.answer import answer
from bench.report.document import Section
from bench.report.layers import alone, layers, limit, paths, traced
from bench.report.outcome import compiling, curves, memory, periodic, phases, race, ranks, results, sustained, title
from bench.report.page import AbPage, Folder, Report, TracedPage, written
from bench.report.sides import ab
from bench.report.summary import of_ab, of_run
from bench.report.trust import checks, noise, provenance

SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    title.of_run,
    answer.section,
    results.figure_section,
    results.variants_section,
    race.section,
    sustained.section,
    paths.section,
    phases.section,
    ranks.scaling_section,
    ranks.section,
    periodic.section,
    layers.section,
    limit.section,
    alone.section,
    memory.section,
    curves.loaders_section,
    curves.threads_section,
    curves.batch_section,
    compiling.section,
    traced.section,
    checks.section,
    provenance.failures_section,
    noise.section,
    provenance.environment_section,
    provenance.repeat_section,
)
PROFILE_SECTIONS: tuple[Callable[[TracedPage], Section | None], ...] = (
    title.of_profile,
    traced.section,
    noise.warnings_section,
    provenance.failures_section,
    provenance.environment_section,
    provenance.repeat_section,
)
AB_SECTIONS: tuple[Callable[[AbPage], Section | None], ...] = (
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


def report_of(data: RunData, out: Path, *, every_layer: bool = False) -> Report:
    """What the page of `bench run` says; nothing is written."""
    data, traces = with_traces(data)
    return Report(
        data=data,
        folder=out / data.run.run_id,
        steps=tables.steps(data),
        layers=tables.layers(data),
        memory=tables.memory(data),
        numerics=tables.numerics(data),
        traces=traces,
        every_layer=every_layer,
    )


def write(data: RunData, out: Path, *, every_layer: bool = False) -> Report:
    """Write reports/<run_id>/ of `bench run` with report.md, figures and tables. Returns what the page says."""
    report = report_of(data, out, every_layer=every_layer)
    traced.write_tables(report)
    for name in ("steps", "layers", "memory", "numerics"):
        report.table(name, getattr(report, name))
    race.write_table(report)
    sustained.write_table(report)
    ranks.write_tables(report)
    alone.write_table(report)
    return written(report, SECTIONS, of_run.summary)


def with_traces(data: RunData) -> tuple[RunData, list[Trace]]:
    """The run with the warnings of its traces added, and its traces."""
    traces, warnings = trace.read(data)
    return replace(data, warnings=[*data.warnings, *warnings]), traces


def write_profile(data: RunData, out: Path) -> TracedPage:
    """Write reports/<run_id>/ of a `bench profile` that had no run to add to. Returns what the page says."""
    data, traces = with_traces(data)
    page = TracedPage(data=data, folder=out / data.run.run_id, traces=traces)
    traced.write_tables(page)
    return written(page, PROFILE_SECTIONS)


def write_ab(data: RunData, out: Path) -> AbPage:
    """Write reports/<run_id>/ of `bench ab`. Returns what the page says."""
    page = AbPage(data=data, folder=out / data.run.run_id, changes=changes.changes(data), deaths=deaths.deaths(data))
    page.table("changes", changes.frame(page.changes))
    return written(page, AB_SECTIONS, of_ab.summary)


def write_any(data: RunData, out: Path) -> Folder:
    """Write the page of a run of any kind. Returns what it says."""
    match data.run.kind:
        case "ab":
            return write_ab(data, out)
        case "profile":
            return write_profile(data, out)
        case _:
            return write(data, out)
