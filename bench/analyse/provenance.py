"""Sections of a report that say how far it can be trusted: failures, noise, environment, the command."""

import re

import pandas as pd

from bench.analyse import plots, tables
from bench.analyse.labels import label
from bench.analyse.load import cell
from bench.analyse.page import Lines, Report
from bench.analyse.verdicts import FEW_ROUNDS, Control
from bench.analyse.words import count, interval, markdown, number, seconds, size
from bench.progress import duration


def failures_section(report: Report) -> Lines:
    """What went wrong and what could not run, with reasons."""
    failed = tables.failures(report.data)
    excluded = report.data.variants[report.data.variants.excluded_reason != ""]
    if failed.empty and excluded.empty:
        return ["## Failures and exclusions", "", "None.", ""]
    lines = ["## Failures and exclusions", ""]
    if failed.empty:
        lines += ["No trial failed.", ""]
    else:
        lines += markdown(failed.rename(columns={"variant_id": "variant"}))
    for reason, rows in excluded.groupby("excluded_reason", sort=False):
        ids = ", ".join(f"`{v}`" for v in rows.variant_id)
        lines += [f"Not run, {reason}: {ids}.", ""]
    return lines


def noise_section(report: Report) -> Lines:
    """How it was measured, and what identical code showed."""
    data = report.data
    plan, trials = data.run["plan"], data.trials
    lines = [
        "## How it was measured",
        "",
        f"{len(data.rounds)} complete rounds of {len(plan['arms'])} arms after the pilot, ended by "
        f"{data.run['ended_because'] or 'a kill'}; {len(trials)} trials, each a fresh process, in an order drawn "
        f"anew each round from seed {data.run['seed']}; the trials took {duration(trials.duration_s.sum())}."
        f"{counts_words(report)}",
        "",
    ]
    if plan["verdicts"] and 0 < len(data.rounds) < FEW_ROUNDS:
        lines += [
            f"**Only {len(data.rounds)} rounds: a change of 10 % may go undecided.** Give the run more time "
            "with --budget.",
            "",
        ]
    found = tables.controls(data)
    for control in found:
        lines += [control_sentence(report, control), ""]
    measured = trials[trials.stage == "measure"].dropna(subset=["load_1min", "steal_s", "involuntary_switches"])
    if len(measured):
        lines += [
            f"In the median trial the load over one minute was {number(measured.load_1min.median())}, the hypervisor "
            f"took {seconds(measured.steal_s.median())} of CPU from this machine in "
            f"{seconds(measured.duration_s.median())}, and the trial was switched out against its will "
            f"{count(measured.involuntary_switches.median())} times.",
            "",
        ]
    lines += [f"Warning: {warning}.\n" for warning in data.warnings]
    if found:
        ids = [control.variant_id for control in found]
        lines += report.figure("noise", plots.noise(data, ids), "the baseline's two arms by round")
    return lines


def counts_words(report: Report) -> str:
    """How many steps a trial of each baseline took."""
    baselines = report.data.variants.loc[report.data.variants.baseline == "True", "variant_id"]
    counts = report.data.run["plan"]["counts"]
    told = []
    for variant_id in (v for v in baselines if v in counts):
        plain, iterations, stamped = (counts[variant_id][name] for name in ("plain", "iterations", "stamped"))
        each = "" if iterations == 1 else f", each the mean of {iterations}"
        told.append(
            f" A trial of the {label(report.data, variant_id)}: {plain} plain steps{each}, then {stamped} stamped."
        )
    return "".join(told)


def control_sentence(report: Report, control: Control) -> str:
    """What A against A' showed: the same code, held against itself."""
    walls = cell(report.data.measured, "wall")
    mine = walls[walls.variant_id == control.variant_id]["value"]
    shown = interval(control.ratio.estimate, control.ratio.lo, control.ratio.hi, digits=3)
    name = label(report.data, control.variant_id)
    text = (
        f"The same code against itself ({name}, A over A'): {shown} over {control.rounds} rounds; a trial's step "
        f"ranged from {seconds(mine.min())} to {seconds(mine.max())}."
    )
    if control.noisy:
        return f"{text} **NOISY: identical code came out different, so {control.device} gets no verdict.**"
    return text


def environment_section(report: Report) -> Lines:
    """Machine and software."""
    rows = [
        {"": name.replace("_", " "), "value": environment_value(name, value)}
        for name, value in report.data.run["environment"].items()
        if value not in (None, "", [], {})
    ]
    return ["## Environment", "", *markdown(pd.DataFrame(rows))]


def environment_value(name: str, value: object) -> str:
    """A recorded fact as it is shown."""
    if name.endswith("_bytes"):
        return size(float(value))  # type: ignore[arg-type] # a number by its name
    if name == "cuda_devices":
        return ", ".join(f"{d['name']} ({size(d['memory_bytes'])})" for d in value)  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items())
    return str(value)


def repeat_section(report: Report) -> Lines:
    """The command that measures this again, under a name of its own."""
    command = re.sub(r" --run-id[ =]\S+", "", report.data.run["command"])
    command = re.sub(r"^python -m bench run ?", "nox -s bench -- ", command).removesuffix(" -- ")
    return [
        "## Again",
        "",
        "```sh",
        command,
        f"nox -s report -- {report.data.folder}   # this page from the stored files",
        "```",
        "",
    ]
