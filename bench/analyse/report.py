"""report.md of a run: sections in a fixed order, every sentence made from the data."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse import advice, answer, plots, tables
from bench.analyse.labels import label
from bench.analyse.load import RunData, cell
from bench.analyse.verdicts import FEW_ROUNDS, UNDECIDED, delta_of, smallest_seen
from bench.analyse.stats import Interval
from bench.analyse.words import interval, markdown, number, percent, seconds, size, spread_seconds
from bench.progress import duration

Lines = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run with its tables, and the folder that its report goes to."""

    data: RunData
    folder: Path
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame

    def figure(self, name: str, figure: object, words: str) -> Lines:
        """Save a figure and give the line that shows it."""
        plots.write(figure, self.folder / "figures" / f"{name}.png")  # type: ignore[arg-type]
        return [f"![{words}](figures/{name}.png)", ""]


def write(data: RunData, out: Path) -> Path:
    """Write reports/<run_id>/ with report.md, figures and tables; the path of report.md."""
    folder = out / str(data.run["run_id"])
    report = Report(
        data=data,
        folder=folder,
        steps=tables.steps(data),
        layers=tables.layers(data),
        memory=tables.memory(data),
    )
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name in ("steps", "layers", "memory"):
        path = folder / "tables" / f"{name}.csv"
        getattr(report, name).to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    sections = (
        title, answer_section, variants_section, where_section, layers_section, memory_section,
        batch_section, compile_section, failures_section, noise_section, environment_section,
        repeat_section,
    )  # fmt: skip
    text = "\n".join(line for section in sections for line in section(report))
    path = folder / "report.md"
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
    return path


def title(report: Report) -> Lines:
    """What was run, on what."""
    run = report.data.run
    what = f"preset {run['preset']}" if run["preset"] else "chosen variants"
    state = "" if run["status"] == "complete" else f" **This run is {run['status']}, not complete.**"
    return [
        f"# Run {run['run_id']}",
        "",
        f"{what.capitalize()} on {hardware(run['environment'])}; {run['data']['name']}; "
        f"{run['started_at']}.{state}",
        "",
    ]


def hardware(environment: dict[str, object]) -> str:
    """The machine in one phrase."""
    gpus = [d["name"] for d in environment["cuda_devices"]]  # type: ignore[attr-defined] # JSON
    return ", ".join([f"{environment['cpu']} ({environment['cores']} cores)", *gpus])


def answer_section(report: Report) -> Lines:
    """The fastest variant of each device and model, and how to get it."""
    return ["## The answer", "", *answer.lines(report.data, report.steps)]


def variants_section(report: Report) -> Lines:
    """The variants table and the dots behind it."""
    data, steps = report.data, report.steps
    rows = []
    for row in steps.to_dict("records"):
        status, _ = tables.outcome(data, row["variant_id"])
        rows.append(
            {
                "variant": label(data, row["variant_id"]),
                "images/s": number(row["images_per_s"]),
                "step": spread_seconds(row["step_s"], row["step_s_lo"], row["step_s_hi"]),
                "times baseline": interval(row["ratio"], row["ratio_lo"], row["ratio_hi"]),
                "verdict": row["verdict"] if status in ("ok", "invalid") else status,
                "CPU user": seconds(row["cpu_user_s"]),
                "CPU system": seconds(row["cpu_system_s"]),
                "page faults": number(row["page_faults"]),
                "epoch (projected)": duration(row["epoch_s"]) if row["epoch_s"] > 0 else "",
                "rounds": row["n"] or "pilot",
            }
        )
    lines = [
        "## Variants",
        "",
        *markdown(pd.DataFrame(rows)),
        "Brackets hold 95 % intervals over rounds. *Times baseline* is the baseline's seconds per image over "
        "the variant's, so above 1 is faster. *CPU* seconds and minor *page faults* are per step. *Epoch* is "
        "60,000 images at this rate, not measured as a whole. Variants of the pilot alone were measured once "
        "and get no verdict.",
        "",
    ]
    if report.data.run["plan"]["verdicts"]:
        lines += [verdict_words(report), ""]
    ids = [f"`{v}` is {label(data, v)}" for v in steps.variant_id]
    lines += report.figure("throughput", plots.throughput(data, steps), "images a second, one dot a round")
    return [*lines, "<details><summary>Ids</summary>", "", "; ".join(ids) + ".", "", "</details>", ""]


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
                f" For {label(report.data, row.variant_id)} a change of {percent(smallest_seen(ratio, delta))} "
                "would have been seen."
            )
    return text


def where_section(report: Report) -> Lines:
    """Where a step goes, by phase; and what the page faults cost."""
    data, steps = report.data, report.steps
    shown = steps.dropna(subset="forward_s")
    if shown.empty:
        return []
    rows = []
    for row in shown.to_dict("records"):
        total = sum(row[f"{phase}_s"] for phase in tables.PHASES)
        shares = {phase: percent(row[f"{phase}_s"] / total) for phase in tables.PHASES}
        rows.append({"variant": label(data, row["variant_id"]), "stamped step": seconds(total)} | shares)
    page_bytes = int(data.run["environment"]["page_bytes"])
    lines = ["## Where a step goes", "", *markdown(pd.DataFrame(rows))]
    for sentence in advice.page_fault_sentence(data, steps, page_bytes):
        lines += [sentence, ""]
    return lines + report.figure("phases", plots.phases(data, shown), "seconds a step by phase")


def layers_section(report: Report) -> Lines:
    """The layers of the baseline and of the fastest eager variant, with closure and overhead."""
    data, table = report.data, report.layers
    if table.empty:
        return []
    chosen = answer.layered_variants(data, report.steps, set(table.variant_id))
    lines = ["## Layers", ""]
    for variant_id in chosen:
        mine = table[table.variant_id == variant_id]
        heaviest = mine.dropna(subset="share_of_step").nlargest(3, "share_of_step")
        told = ", ".join(f"`{r.layer}` {r.type} {percent(r.share_of_step)}" for r in heaviest.itertuples())
        lines += [
            f"### {label(data, variant_id)}",
            "",
            f"The heaviest: {told}. Every layer of every eager variant is in tables/layers.csv.",
            "",
            *markdown(pd.DataFrame([layer_cells(row) for row in mine.to_dict("records")])),
        ]
    lines += [
        "*Forward* and *backward* are medians over rounds with 95 % intervals; a layer's backward includes the "
        "gradients of its parameters. `between` is what runs outside of every leaf: functional code, and in "
        "backward the loss. *Share* is of the stamped step. *Saved* are bytes kept for backward, a shared "
        "storage counted once, for the layer that saved it first.",
        "",
        *report.figure("layers", plots.layers(data, table, chosen), "milliseconds a step by layer"),
        "### Do the parts add up?",
        "",
        *markdown(closure_table(report)),
        "*Closure* is the sum of layers, loss, optimizer, data and the rest in stamped steps over the median "
        "plain step of the same trial: 1 is a perfect account. *Overhead* is the stamped step over the plain "
        "one, less one. *Stamps' cost* is stamps a step times the measured cost of a stamp, over the plain step.",
        "",
    ]
    return lines


def layer_cells(row: dict[str, object]) -> dict[str, object]:
    """A layer's row as it is shown."""
    f, b = (spread_seconds(*(float(row[f"{p}_s{e}"]) for e in ("", "_lo", "_hi"))) for p in ("forward", "backward"))  # type: ignore[arg-type] # fmt: skip
    saved = float(row["saved_bytes"])  # type: ignore[arg-type]
    return {
        "layer": row["layer"],
        "type": row["type"],
        "output": row["output_shape"],
        "parameters": f"{row['parameters']:,}" if row["parameters"] else "",
        "forward": f,
        "backward": b,
        "share": percent(float(row["share_of_step"])),  # type: ignore[arg-type]
        "saved": size(saved) if saved else "",
    }


def closure_table(report: Report) -> pd.DataFrame:
    """Closure, overhead and stamps of every variant that has them."""
    stamps = tables.stamps(report.data).set_index("variant_id")
    rows = []
    for row in report.steps.dropna(subset="closure").to_dict("records"):
        mine = stamps.loc[row["variant_id"]] if row["variant_id"] in stamps.index else None
        rows.append(
            {
                "variant": label(report.data, row["variant_id"]),
                "closure": interval(row["closure"], row["closure_lo"], row["closure_hi"], digits=3),
                "overhead": percent(row["instrument_overhead"]),
                "stamps a step": number(mine.stamps) if mine is not None else "by phase",
                "a stamp costs": seconds(mine.stamp_cost_s) if mine is not None else "",
                "stamps' cost": f"{100 * mine.share:.2f} %" if mine is not None else "",
            }
        )
    return pd.DataFrame(rows)


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


def batch_section(report: Report) -> Lines:
    """Throughput by batch size, where a run has several."""
    families = answer.batch_families(report.data, report.steps)
    if not families:
        return []
    return [
        "## Batch size",
        "",
        *report.figure(
            "batches", plots.batches(report.data, report.steps, families), "images a second by batch size"
        ),
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
            "compiling, cold": seconds(row["cold_s"]),
            "warm": seconds(row["warm_s"]),
            "repaid after, cold": steps_words(row["cold_steps"]),
            "repaid after, warm": steps_words(row["warm_steps"]),
        }
        for row in table.to_dict("records")
    ]
    return [
        "## Compiling",
        "",
        *markdown(pd.DataFrame(rows)),
        "*Compiling* is the first step less a later one: *cold* with an empty cache (the pilot), *warm* in a new "
        "process that finds the code of the last. *Eager* is the same variant without compiling.",
        "",
    ]


def steps_words(count: float) -> str:
    """After how many steps: `never` without a gain, empty where it is not known."""
    if pd.isna(count):
        return ""
    return "never" if count == float("inf") else f"{number(count)} steps"


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
    measured = trials[trials.stage == "measure"]
    counts = next(iter(plan["counts"].values()), {})
    took = pd.to_datetime(data.run["finished_at"] or trials.started_at.iloc[-1]) - pd.to_datetime(
        data.run["started_at"]
    )
    lines = [
        "## How it was measured",
        "",
        f"{len(data.rounds)} complete rounds of {len(plan['arms'])} arms after the pilot, ended by "
        f"{data.run['ended_because'] or data.run['status']}; {len(trials)} trials, each a fresh process, in an "
        f"order drawn anew each round from seed {data.run['seed']}; {duration(took.total_seconds())} in all. The "
        f"baseline's trials: {counts.get('plain', '?')} plain samples, each the mean of {counts.get('iterations', '?')} steps, "
        f"then {counts.get('stamped', '?')} stamped.",
        "",
    ]
    if plan["verdicts"] and 0 < len(data.rounds) < FEW_ROUNDS:
        lines += [
            f"**Only {len(data.rounds)} rounds: a change of 10 % may go undecided.** Give the run more time "
            f"with --budget.",
            "",
        ]
    found = tables.controls(data)
    for control in found:
        lines += [control_sentence(report, control), ""]
    if len(measured):
        lines += [
            f"While trials ran, the load over one minute was {number(measured.load_1min.median())} in the "
            f"median, the hypervisor took {seconds(measured.steal_s.sum())} of CPU from this machine, and a "
            f"trial was switched out {number(measured.involuntary_switches.median())} times against its will.",
            "",
        ]
    lines += [f"Warning: {warning}.\n" for warning in data.warnings]
    if found:
        ids = [control.variant_id for control in found]
        lines += report.figure("noise", plots.noise(data, ids), "the baseline's two arms by round")
    return lines


def control_sentence(report: Report, control: tables.Control) -> str:
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
    """The command that measures this again."""
    run_id = report.data.run["run_id"]
    return [
        "## Again",
        "",
        "```sh",
        report.data.run["command"],
        f"python -m bench report {run_id}   # this page from the stored files",
        "```",
        "",
    ]
