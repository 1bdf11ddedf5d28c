"""The page of `bench compare`: stored runs side by side, without verdicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import compare, plots_runs, tables
from bench.analyse.compare import Match, Side
from bench.analyse.load import RunData
from bench.analyse.page import Folder, Lines
from bench.analyse.provenance import environment_value
from bench.analyse.results import hardware
from bench.analyse.words import interval, markdown, number, seconds, size
from bench.environment import without_home
from bench.records import RecordError


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage(Folder):
    """The runs, their matched variants, and the tables of both."""

    runs: list[Side]
    shared: list[Match]
    alone: list[Match]
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame
    environments: pd.DataFrame
    command: str

    @property
    def first(self) -> Side:
        """The reference."""
        return self.runs[0]


def write(data: Sequence[RunData], out: Path) -> ComparePage:
    """Write reports/<first>-vs-<others>/; what it was made from. RecordError where no variant is in common."""
    runs = compare.sides(data)
    found = compare.matches(runs)
    shared = [match for match in found if match.shared]
    if not shared:
        msg = f"{runs[0].name} has no variant in common with {', '.join(run.name for run in runs[1:])}"
        raise RecordError(msg)
    page = ComparePage(
        folder=out / "-vs-".join(run.name for run in runs),
        runs=runs,
        shared=shared,
        alone=[match for match in found if not match.shared],
        steps=compare.steps(runs, found),
        layers=compare.layers(runs, shared),
        memory=compare.memory(runs, shared),
        environments=compare.environments(runs),
        command=" ".join(["nox -s compare --", *(without_home(str(run.folder)) for run in data)]),
    )
    for name in ("steps", "layers", "memory", "environments"):
        page.table(name, getattr(page, name))
    page.write([line for section in SECTIONS for line in section(page)])
    return page


def title(page: ComparePage) -> Lines:
    """Which runs, and why nothing here is a verdict."""
    rows = []
    for run in page.runs:
        header, found = run.data.run, tables.controls(run.data)
        rows.append(
            {
                "run": run.name,
                "machine": hardware(header["environment"]),
                "started": header["started_at"],
                "rounds": str(len(run.data.rounds)),
                "status": header["status"],
                "same code against itself": "; ".join(shown(c.ratio) for c in found),
            }
        )
    return [
        f"# {page.first.name} against {', '.join(run.name for run in page.runs[1:])}",
        "",
        *markdown(pd.DataFrame(rows)),
        confounded_words(page),
        "",
    ]


def confounded_words(page: ComparePage) -> str:
    """What differs between the runs apart from what one wants to know."""
    differing = page.environments.loc[page.environments.differs, "fact"]
    facts = ", ".join(name.replace("_", " ") for name in differing)
    told = f" They differ in {facts} (marked under Environments)." if facts else " Their environments are alike."
    return (
        "**CONFOUNDED: these runs were measured apart, each on its machine and at its time.** A difference between "
        "them may come from any of that, so there are ratios here and no verdicts; `bench ab` holds two code trees "
        f"against each other in one run.{told}"
    )


def canary_section(page: ComparePage) -> Lines:
    """Fixed work that no variant touches, in every run."""
    rows = []
    for run in page.runs:
        for device in dict.fromkeys(run.data.variants.device):
            mine = compare.canaries(run, device)
            if not all(map(math.isnan, mine.values())):
                hardware_name = run.model_of(device) or "unknown"
                seen = {name: seconds(value) for name, value in mine.items()}
                rows.append({"run": run.name, "device": device, "model": hardware_name} | seen)
    if not rows:
        return ["## Canary", "", "No run measured the canary.", ""]
    return ["## Canary", "", *markdown(pd.DataFrame(rows)), canary_words(page), ""]


def canary_words(page: ComparePage) -> str:
    """What the canary is, and whether it normalises here."""
    text = "The canary is a fixed convolution, matrix product and copy, measured in every round on each device."
    normalised = page.steps[page.steps.ratio_less_drift.notna()].drop_duplicates("run")
    for row in normalised.itertuples():
        text += (
            f" {row.run} ran on the same model of device as {page.first.name}, where the canary came out "
            f"{number(row.ratio / row.ratio_less_drift)} times as fast: *less the canary's* takes that out."
        )
    if len(normalised) < len(page.runs) - 1:
        text += " It normalises between runs of the same model of device alone; else it is shown for its own sake."
    return text


def throughput_section(page: ComparePage) -> Lines:
    """Images a second of every shared variant in every run."""
    rows = []
    for match in page.shared:
        mine = page.steps[page.steps.variant == match.name].set_index("run")
        row: dict[str, str] = {"variant": match.name}
        for run in page.runs:
            if run.name not in mine.index:
                continue
            cells = mine.loc[run.name]
            row[f"{run.name}, images/s"] = number(cells.images_per_s)
            if run is not page.first:
                row[f"{run.name}, times {page.first.name}"] = shown(compare.bounds_of(cells, "ratio"))
                if not math.isnan(cells.ratio_less_drift):
                    row[f"{run.name}, less the canary's"] = number(cells.ratio_less_drift)
        rows.append(row)
    return [
        "## Throughput",
        "",
        *markdown(pd.DataFrame(rows).fillna("")),
        f"*Times {page.first.name}*: its seconds per image over the other run's, so above 1 the other run is faster; "
        "a ratio of geometric means over rounds, with Welch's 95 % interval from the spread within each run, which "
        "knows nothing of what differs between them.",
        "",
        *page.figure("throughput", plots_runs.throughput(page.runs, page.shared), "images a second by variant and run"),
    ]


def shown(ratio: Any) -> str:  # noqa: ANN401 - an Interval
    """A ratio with its bounds."""
    return interval(ratio.estimate, ratio.lo, ratio.hi)


def told(page: ComparePage) -> list[Match]:
    """The variants told in full: the first that all runs have, and among those the first run's fastest."""
    whole = [match for match in page.shared if all(match.ids)] or page.shared
    rates = page.first.steps.set_index("variant_id").images_per_s
    best = max(whole, key=lambda match: rates[match.ids[0]])
    return list(dict.fromkeys([whole[0], best]))


def phases_section(page: ComparePage) -> Lines:
    """Where a step goes in each run."""
    lines: Lines = ["## Where a step goes", ""]
    for match in told(page):
        mine = page.steps[page.steps.variant == match.name]
        rows = [
            {"run": row["run"]} | {phase: seconds(row[f"{phase}_s"]) for phase in tables.PHASES}
            for row in mine.dropna(subset="forward_s").to_dict("records")
        ]
        if rows:
            lines += [f"**{match.name}**", "", *markdown(pd.DataFrame(rows))]
    return [*lines, "Those of every variant are in tables/steps.csv.", ""] if len(lines) > 2 else []


def layers_section(page: ComparePage) -> Lines:
    """The layers of each run side by side."""
    lines: Lines = []
    for index, match in enumerate(told(page)):
        mine = page.layers[(page.layers.variant == match.name) & page.layers.forward_s.notna()]
        names = [run.name for run in page.runs if (mine.run == run.name).any()]
        if page.first.name not in names or len(names) < 2:
            continue
        by_run = {name: mine[mine.run == name].set_index("layer") for name in names}
        known = page.first.layers[page.first.layers.variant_id == match.ids[0]].set_index("layer")["type"]
        rows = []
        for layer in by_run[page.first.name].index:
            row = {"layer": layer, "type": known[layer]}
            for phase in ("forward", "backward"):
                for name in names:
                    cells = by_run[name].loc[layer] if layer in by_run[name].index else None
                    row[f"{phase}, {name}"] = "" if cells is None else seconds(cells[f"{phase}_s"])
                    if cells is not None and name != page.first.name:
                        row[f"{phase}, {name} times"] = number(cells[f"{phase}_s_ratio"])
            rows.append(row)
        figure = plots_runs.layers(mine, names)
        name = "layers" if index == 0 else f"layers-{index + 1}"
        lines += [
            f"**{match.name}**",
            "",
            *markdown(pd.DataFrame(rows).fillna("")),
            *page.figure(name, figure, "layers by run"),
        ]
    return ["## Layers", "", *lines, "Those of every variant are in tables/layers.csv.", ""] if lines else []


def memory_section(page: ComparePage) -> Lines:
    """What a step holds in each run."""
    measured = page.memory.dropna(subset="parameter_bytes")
    shared = [match for match in page.shared if (measured.variant == match.name).any()]
    if not shared:
        return []
    metrics = {"saved": "saved", "allocator_peak": "allocator peak", "process_peak": "process peak"}
    rows = []
    for match in shared:
        mine = measured[measured.variant == match.name].set_index("run")
        rows.append(
            {"variant": match.name}
            | {
                f"{name}, {run.name}": size(mine.loc[run.name, f"{metric}_bytes"])
                for metric, name in metrics.items()
                for run in page.runs
                if run.name in mine.index
            }
        )
    figure = plots_runs.memory(page.runs, shared, measured)
    lines = ["## Memory", "", *markdown(pd.DataFrame(rows).fillna(""))]
    return lines + page.figure("memory", figure, "memory by variant and run")


def alone_section(page: ComparePage) -> Lines:
    """What has nothing beside it."""
    if not page.alone:
        return []
    lines = ["## Not compared", ""]
    for match in page.alone:
        where = [run.name for run, variant_id in zip(page.runs, match.ids, strict=True) if variant_id]
        lines.append(f"- {match.name}: only in {', '.join(where)}")
    return [*lines, ""]


def environment_section(page: ComparePage) -> Lines:
    """Every fact of every run, those that differ marked and in front."""
    table = page.environments.sort_values("differs", ascending=False, kind="stable")
    rows = []
    for row in table.to_dict("records"):
        values = [row[run.name] for run in page.runs]
        if all(value in (None, "", [], {}) for value in values):
            continue
        mark = "**" if row["differs"] else ""
        name = str(row["fact"]).replace("_", " ")
        rows.append({"": f"{mark}{name}{mark}", "differs": "differs" if row["differs"] else ""})
        for run, value in zip(page.runs, values, strict=True):
            empty = value in (None, "", [], {})
            rows[-1][run.name] = "" if empty else environment_value(str(row["fact"]), value)
    return ["## Environments", "", *markdown(pd.DataFrame(rows))]


def repeat_section(page: ComparePage) -> Lines:
    """The command that writes this page."""
    return ["## Again", "", "```sh", page.command, "```", ""]


SECTIONS = (
    title,
    canary_section,
    throughput_section,
    phases_section,
    layers_section,
    memory_section,
    alone_section,
    environment_section,
    repeat_section,
)
