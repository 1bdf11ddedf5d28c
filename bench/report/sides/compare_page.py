"""The page of `bench compare`: stored runs side by side, without verdicts."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.analyse.sides import compare, costs
from bench.core.home import without_home
from bench.core.records import RecordError
from bench.core.text import MOST_OF_A_REASON, marked, shell_word
from bench.core.traces import file_name
from bench.report import commands
from bench.report.document import Bullets, Code, Marked, Paragraph, Section, Table
from bench.report.outcome.title import hardware
from bench.report.page import ComparePage, written
from bench.report.sides import compare_results
from bench.report.sides.compare_results import shown
from bench.report.sides.costs import section as costs_section
from bench.report.trust.provenance import environment_value
from bench.report.words import number, seconds


def write(data: Sequence[RunData], out: Path, prices: Sequence[str] = ()) -> ComparePage:
    """Write reports/<first>-vs-<others>/. Returns what the page says.

    `prices` are texts RUN=PRICE, the price of an hour. Raises RecordError if no variant is in common, and UsageError if
    a price can't be one.
    """
    runs = compare.sides(data)
    by_run = costs.priced(runs, prices)
    matches = compare.matches(runs)
    shared = [match for match in matches if match.shared]
    if not shared:
        msg = f"{runs[0].name} has no variant in common with {', '.join(run.name for run in runs[1:])}"
        raise RecordError(msg)
    page = ComparePage(
        folder=out / file_name("-vs-".join(run.name for run in runs)),
        runs=runs,
        shared=shared,
        alone=[match for match in matches if not match.shared],
        steps=compare.steps(runs, matches),
        layers=compare.layers(runs, shared),
        memory=compare.memory(runs, shared),
        environments=compare.environments(runs),
        costs=costs.table(runs, matches, by_run) if by_run else None,
        command=commands.bench(
            runs[0].data.run,
            "compare",
            *(shell_word(without_home(str(run.folder))) for run in data),
            *(f"--price {shell_word(text)}" for text in prices),
        ),
    )
    for name in ("steps", "layers", "memory", "environments", *(["costs"] if by_run else [])):
        page.table(name, getattr(page, name))
    return written(page, SECTIONS)


def title(page: ComparePage) -> Section:
    """Which runs, and why nothing here is a verdict."""
    rows = []
    for run in page.runs:
        header, controls = run.data.run, tables.controls(run.data)
        rows.append(
            {
                "run": run.name,
                "machine": Marked(hardware(header.environment)),
                "started": header.started_at.isoformat(),
                "rounds": str(len(run.data.rounds)),
                "status": header.state.status,
                "same code compared with itself": "; ".join(shown(c.ratio) for c in controls),
            }
        )
    name = f"{marked(page.first.name)} against {', '.join(marked(run.name) for run in page.runs[1:])}"
    return Section(name, [Table.of(rows), Paragraph(confounded_words(page))], level=1)


def confounded_words(page: ComparePage) -> str:
    """A warning that the runs were measured apart, with the facts in which they differ."""
    differing = page.environments.loc[page.environments.differs, "fact"]
    facts = ", ".join(name.replace("_", " ") for name in differing)
    differences = f" They differ in {facts} (marked under Environments)." if facts else " Their environments are alike."
    return (
        "**CONFOUNDED: these runs were measured apart, each on its machine and at its time.** A difference between "
        "them may come from any of that, so there are ratios here and no verdicts; `bench ab` compares two code trees "
        f"in one run.{differences}"
    )


def canary_section(page: ComparePage) -> Section:
    """Fixed work that no variant touches, in every run."""
    rows = []
    for run in page.runs:
        for device in dict.fromkeys(variant.device for variant in run.data.variants.values()):
            times = compare.canaries(run, device)
            if not all(map(math.isnan, times.values())):
                hardware_name = run.model_of(device) or "unknown"
                cells = {name: seconds(value) for name, value in times.items()}
                rows.append({"run": run.name, "device": device, "model": hardware_name} | cells)
    if not rows:
        return Section("Canary", [Paragraph("No run measured the canary.")])
    return Section("Canary", [Table.of(rows), Paragraph(canary_words(page))])


def canary_words(page: ComparePage) -> str:
    """What the canary is, and between which runs it can be compared."""
    text = "The canary is a fixed convolution, matrix product and copy, measured in every round on each device."
    normalised = page.steps[page.steps.ratio_less_drift.notna()].drop_duplicates("run")
    for row in normalised.itertuples():
        text += (
            f" {marked(row.run)} ran on the same model of device as {marked(page.first.name)}, and its canary was "
            f"{number(row.ratio / row.ratio_less_drift)} times as fast: *less the canary's* divides by that."
        )
    if len(normalised) < len(page.runs) - 1:
        text += " Ratios are divided by it only between runs on the same model of device; else it is only shown."
    return text


def alone_section(page: ComparePage) -> Section | None:
    """The variants that only one run has, or only runs after the first; nothing without any."""
    if not page.alone:
        return None
    items = []
    for match in page.alone:
        names = [marked(run.name) for run, variant_id in zip(page.runs, match.ids, strict=True) if variant_id]
        items.append(f"{marked(match.name)}: only in {', '.join(names)}")
    return Section("Not compared", [Bullets(items)])


def environment_section(page: ComparePage) -> Section:
    """Every fact of every run; those that differ are marked and come first."""
    table = page.environments.sort_values("differs", ascending=False, kind="stable")
    rows = []
    for row in table.to_dict("records"):
        values = [row[run.name] for run in page.runs]
        if all(value in (None, "", [], {}) for value in values):
            continue
        mark = "**" if row["differs"] else ""
        name = str(row["fact"]).replace("_", " ")
        rows.append({"": Marked(f"{mark}{name}{mark}"), "differs": "differs" if row["differs"] else ""})
        for run, value in zip(page.runs, values, strict=True):
            empty = value in (None, "", [], {})
            rows[-1][run.name] = "" if empty else environment_value(str(row["fact"]), value)
    return Section("Environments", [Table.of(rows, MOST_OF_A_REASON)])


def repeat_section(page: ComparePage) -> Section:
    """The command that writes this page."""
    return Section("Reproduce", [Code([page.command], "sh")])


SECTIONS: tuple[Callable[[ComparePage], Section | None], ...] = (
    title,
    canary_section,
    compare_results.throughput_section,
    costs_section,
    compare_results.phases_section,
    compare_results.layers_section,
    compare_results.memory_section,
    alone_section,
    environment_section,
    repeat_section,
)
