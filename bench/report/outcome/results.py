"""Sections of a report that say what came out: answer, variants, phases, memory, batches, compiling."""

import math
from typing import Any

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import label, named
from bench.analyse.load import RunData
from bench.analyse.stats import Interval
from bench.analyse.verdicts import UNDECIDED, delta_of, smallest_seen
from bench.core.axes.compile_mode import COMPILE_MODE
from bench.core.axes.precision import PRECISION, TF32
from bench.core.facts import Environment
from bench.core.progress import duration
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.report.figures import plots
from bench.report.outcome import advice, answer, bound
from bench.report.page import Lines, Report, TracedPage
from bench.report.trust import effect, noise
from bench.report.words import count, interval, markdown, number, percent, seconds, size, spread_seconds


def title(report: Report) -> Lines:
    """What was run, on what."""
    run = report.data.run
    what = f"preset {run.preset}" if run.preset else "chosen variants"
    state = "" if run.status == "complete" else f" **This run is {run.status}, not complete.**"
    return [
        f"# Run {marked(run.run_id)}",
        "",
        f"{what.capitalize()} on {hardware(run.environment)}; {marked(run.data.name)}; {run.started_at.isoformat()}."
        f"{state}",
        "",
        "A *trial* is a fresh process that trains a few steps of one variant. A *round* is one trial of every "
        "variant, in random order; round 0, the *pilot*, counts in no interval. The *baseline* has every setting at "
        "its default and is measured twice in every round.",
        "",
    ]


def profile_title(page: TracedPage) -> Lines:
    """What was traced, on what."""
    run = page.data.run
    on = f"on {hardware(run.environment)}; {marked(run.data.name)}; {run.started_at.isoformat()}."
    state = "" if run.status == "complete" else f" **This run is {run.status}, not complete.**"
    return [f"# Profile {marked(run.run_id)}", "", f"Traces taken {on}{state}", ""]


def hardware(environment: Environment) -> str:
    """The machine in one phrase, as Markdown."""
    gpus = [device.name for device in environment.cuda_devices]
    cores = "1 core" if environment.cores == 1 else f"{environment.cores} cores"
    return marked(", ".join([f"{environment.cpu} ({cores})", *gpus]), MOST_OF_A_REASON)


def answer_section(report: Report) -> Lines:
    """The fastest variant of each device and model, and how to get it."""
    told = [*noise.quota_words(report.data), *noise.busy_words(report.data)]
    doubts = [line for sentence in told for line in (f"**{sentence}**", "")]
    return ["## The answer", "", *answer.lines(report.data, report.steps), *doubts]


def variants_section(report: Report) -> Lines:
    """The variants table and the dots behind it."""
    data, steps = report.data, report.steps
    rows = [
        {
            "variant": label(data, row["variant_id"]),
            "images/s": number(row["images_per_s"]),
            "step": spread_seconds(row["step_s"], row["step_s_lo"], row["step_s_hi"]),
            "times baseline": interval(row["ratio"], row["ratio_lo"], row["ratio_hi"]),
            "verdict": effect.verdict_words(data, row),
            "CPU user": seconds(row["cpu_user_s"]),
            "CPU system": seconds(row["cpu_system_s"]),
            "page faults": count(row["page_faults"]),
            "epoch": epoch_words(row),
            "rounds": tables.rounds_words(data, row["n"]),
        }
        for row in steps.to_dict("records")
    ]
    lines = [
        "## Variants",
        "",
        *markdown(pd.DataFrame(rows)),
        "Brackets hold 95 % intervals over rounds. *Times baseline* is the baseline's seconds per image over "
        "the variant's, so above 1 is faster; it is taken within rounds, so it need not be the quotient of the "
        "medians beside it. *CPU* seconds (of all cores together) and minor *page faults* are per step. *Epoch* is "
        "60,000 images: measured as a whole where it says so, else projected from the rate. Variants of the pilot "
        "alone were measured once and get no verdict.",
        "",
    ]
    if report.data.run.plan.verdicts:
        lines += [verdict_words(report), ""]
    if any(tables.spoilt(data, v) for v in steps.variant_id):
        lines += ["A variant whose trials died in some *rounds* stays UNDECIDED and is never called the fastest.", ""]
    lines += in_part_lines(data, steps)
    lines += bound.lines(data, steps)
    ids = [f"{code(v, MOST_OF_A_REASON)} is {named(data, v)}" for v in steps.variant_id]
    lines += report.figure("throughput", plots.throughput(data, steps), "images a second, one dot a trial")
    return [*lines, "<details><summary>Ids</summary>", "", "; ".join(ids) + ".", "", "</details>", ""]


def in_part_lines(data: RunData, steps: pd.DataFrame) -> Lines:
    """What the variants that took effect in part did not do."""
    told = [f"{named(data, v)} ({words})" for v in steps.variant_id if (words := effect.words(data, v))]
    return [f"*In part*: not all of a variant took effect: {'; '.join(told)}.", ""] if told else []


def epoch_words(row: dict[str, Any]) -> str:
    """An epoch's duration, and whether it was measured."""
    if not row["epoch_s"] > 0:
        return ""
    return seconds(row["epoch_s"]) + ", measured" if row["epoch_kind"] == "measured" else duration(row["epoch_s"])


def verdict_words(report: Report) -> str:
    """What the verdicts of this run mean, and what an undecided one would have shown."""
    devices = report.data.variants.loc[report.data.variants.excluded_reason == "", "device"]
    deltas = " and ".join(f"{percent(delta_of(d))} on {d}" for d in devices.unique())
    text = (
        f"FASTER and SLOWER: the whole interval lies beyond the change that matters ({deltas}, declared "
        "beforehand); SAME: it lies within; UNDECIDED: neither."
    )
    undecided = report.steps[report.steps.verdict == UNDECIDED]
    for row in undecided.itertuples():
        ratio = Interval(estimate=row.ratio, lo=row.ratio_lo, hi=row.ratio_hi)
        if ratio.known:
            delta = delta_of(tables.device_of(report.data, row.variant_id))
            text += (
                f" For {named(report.data, row.variant_id)} a change of {percent(smallest_seen(ratio, delta))} "
                "would have been seen in four runs of five."
            )
    return text


def where_section(report: Report) -> Lines:
    """Where a step goes, by phase; and what the page faults cost."""
    data, steps = report.data, report.steps
    shown = steps.dropna(subset="forward_s")
    if (shown.n > 0).any():
        shown = shown[shown.n > 0]  # one trial of the pilot is too noisy to split
    told = [line for sentence in advice.page_fault_sentences(data, steps) for line in (sentence, "")]
    if shown.empty:
        return ["## Where a step goes", "", *told] if told else []
    rows = []
    for row in shown.to_dict("records"):
        phases = {p: row[f"{p}_s"] for p in tables.PHASES if not math.isnan(row[f"{p}_s"])}
        total = sum(phases.values())
        shares = {phase: percent(value / total) for phase, value in phases.items()}
        if not math.isnan(row["launch_gaps_s"]):
            shares["launch gaps"] = f"+{percent(row['launch_gaps_s'] / total)}"
        rows.append({"variant": label(data, row["variant_id"]), "stamped step": seconds(total)} | shares)
    figure = report.figure("phases", plots.phases(data, shown), "seconds a step by phase")
    words = PHASE_WORDS + bound.gap_words(data, shown)
    return ["## Where a step goes", "", *markdown(pd.DataFrame(rows).fillna("")), words, "", *told, *figure]


PHASE_WORDS = (
    "*Stamped* steps carry a time stamp at the border of every layer and phase; the plain ones, which give the speeds, "
    "carry none. *h2d* moves the batch to the device; *optimizer* includes zeroing the gradients; *read* is the loss "
    "and the number of right answers, read at every step where `sync` is `step`."
)


def memory_section(report: Report) -> Lines:
    """What a step holds and its peaks."""
    table = report.memory
    if table.empty:
        return []
    names = {f"{m}_bytes": m.replace("_", " ") for m in tables.MEMORY_METRICS}
    shown = table.dropna(axis="columns", how="all")
    rows = [
        {"variant": label(report.data, row["variant_id"])}
        | {names[c]: size(row[c]) for c in shown.columns if c in names}
        for row in shown.to_dict("records")
    ]
    return [
        "## Memory",
        "",
        *markdown(pd.DataFrame(rows)),
        "Each from a process of its own. *Saved* is what the forward pass keeps for backward; *allocator peak* "
        "the most that torch had allocated in a step; *process peak* on a CPU the most resident memory of the "
        "whole process, Python and libraries included. An empty cell was not measured.",
        "",
        *report.figure("memory", plots.memory(report.data, table), "memory of a step"),
    ]


def compile_section(report: Report) -> Lines:
    """What compiling costs, and when it is repaid."""
    table = advice.break_even(report.data, report.steps)
    if table.empty:
        return []
    rows = [
        {
            "variant": row["variant"],
            "eager step": seconds(row["eager_s"]),
            "compiled step": seconds(row["compiled_s"]),
            "times eager": row["times_eager"],
            "compiling, cold": seconds(row["cold_s"]),
            "warm": seconds(row["warm_s"]),
            "repaid after, cold": steps_words(row["cold_steps"], row["batch"]),
            "repaid after, warm": steps_words(row["warm_steps"], row["batch"]),
            "graphs": count(row["graphs"]),
            "breaks": count(row["graph_breaks"]),
            "recompiled": count(row["recompiles"]),
        }
        for row in table.to_dict("records")
    ]
    return [
        "## Compiling",
        "",
        *markdown(pd.DataFrame(rows)),
        "*Compiling* is the first step less a later one: *cold* with an empty cache (the pilot), *warm* in a new "
        "process that finds the code of the last. *Eager* is the same variant without compiling. Compiling is *repaid* "
        "only where the whole interval of *times eager* lies above 1. *Graphs* were compiled in the first step and "
        "*recompiled* ones later, before anything was timed; a graph that is compiled or breaks in the timed region "
        "makes a variant invalid.",
        "",
        *([MM_WORDS, ""] if tunes_in_tf32(report.data) else []),
    ]


MM_WORDS = (
    "max-autotune turns 1x1 convolutions into matrix products: under precision `default` those compute in IEEE "
    "float32, where the convolutions would have taken TF32."
)


def tunes_in_tf32(data: RunData) -> bool:
    """Whether a compiled variant has matrix products in place of convolutions that would have taken TF32."""
    ran = data.variants[data.variants.excluded_reason == ""]
    tuning = [name for name, mode in COMPILE_MODE.values.items() if mode.tunes]
    tuned = ran[ran.compile_mode.isin(tuning) & (ran.precision == PRECISION.default)]
    indices = [int(device.partition(":")[2] or 0) for device in tuned.device if device.startswith("cuda")]
    devices = data.run.environment.cuda_devices
    return any(index < len(devices) and devices[index].capability >= TF32.capability for index in indices)


def steps_words(steps: float, batch: float) -> str:
    """After how many steps and images: `never` without a gain."""
    if math.isnan(steps):
        return "not settled"
    return "never" if steps == math.inf else f"{number(steps)} steps ({count(steps * batch)} images)"
