"""What the machine did during the trials of a run: a table of its state, and sentences from it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from bench.analyse.labels import label
from bench.analyse.load import RunData, cell
from bench.analyse.ratios import itself_by_round
from bench.plan.schedule import BUSY
from bench.report.document import Block, Figure, Fold, Paragraph, Table, paragraphs
from bench.report.figures import plots_rounds
from bench.report.words import count, interval, number, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that the machine did during a trial."""

    name: str
    shown: Callable[[float], str]
    more: str
    """What a trial with a higher value had, in a sentence."""


MEASURES = {
    "load": Measure(name="load, 1 min", shown=number, more="a higher load"),
    "stolen": Measure(name="stolen", shown=percent, more="more of its time stolen by the hypervisor"),
    "pressure": Measure(name="CPU pressure", shown=percent, more="more waiting for a CPU"),
    "switches": Measure(name="context switches", shown=count, more="more involuntary switches"),
    "clock": Measure(name="GPU MHz", shown=count, more="a higher clock"),
    "temperature": Measure(name="GPU \N{DEGREE SIGN}C", shown=count, more="a hotter GPU"),
    "power": Measure(name="GPU W", shown=count, more="more power drawn"),
    "capped": Measure(name="held by power", shown=percent, more="more time at their GPU's power limit"),
    "hot": Measure(name="held by heat", shown=percent, more="more time at their GPU's limit of heat"),
}
NAN = math.nan
LEAST_CORRELATION, LEAST_TRIALS, CERTAIN = 0.4, 20, 0.001
"""A sentence on what went along with slow trials needs this rank correlation, this many trials, and a lower p."""


THROTTLE_REASONS = {
    0x2: "clocks set", 0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost",
    0x20: "heat (software)", 0x40: "heat (hardware)", 0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
"""The bits of nvmlDeviceGetCurrentClocksEventReasons by NVML's header, without 0x1, which is an idle device."""


def state(data: RunData) -> pd.DataFrame:
    """A row a trial of complete rounds: round, `usual` (its step over its arm's median) and MEASURES; NaN if unread."""
    walls = cell(data.values, "wall").set_index("trial_id")["value"]
    trials = data.trials[data.trials.trial_id.isin(walls.index)]
    trials = trials[trials["round"].isin([*data.rounds, *data.confirm_rounds]) & (trials.stage != "pilot")]
    step_s = trials.trial_id.map(walls)
    usual = step_s / step_s.groupby([trials.variant_id, trials.arm]).transform("median")
    return pd.DataFrame(
        {
            "round": trials["round"],
            "variant_id": trials.variant_id,
            "usual": usual,
            "load": trials.load_1min,
            "stolen": trials.steal_s / trials.duration_s,
            "pressure": trials.pressure_s / trials.duration_s,
            "switches": trials.involuntary_switches,
            "clock": trials.gpu_clock_hz / 1e6,
            "temperature": trials.gpu_temperature_c,
            "power": trials.gpu_power_w,
            "capped": trials.trial_id.map(shares_of(data, "power_throttled")),
            "hot": trials.trial_id.map(shares_of(data, "heat_throttled")),
            "throttle": trials.gpu_throttle,
        }
    )


def shares_of(data: RunData, metric: str) -> pd.Series:
    """A share of each trial's timed region, by trial_id."""
    return cell(data.values, metric).set_index("trial_id")["value"]


def by_round(trials: pd.DataFrame, itself: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The state by round, as the page shows it, without what no trial could read.

    `itself` has by heading how many times as fast as itself identical code was in each round.
    """
    rows = []
    for number_, of_round in trials.groupby("round"):
        above = round(100 * (of_round.usual.median() - 1))
        row = {"round": str(number_), "step vs median": f"{above:+d} %" if above else "0 %"}
        row |= {heading: interval(ratios.get(number_, NAN), NAN, NAN, digits=3) for heading, ratios in itself.items()}
        row |= {m.name: m.shown(of_round[k].median()) for k, m in MEASURES.items() if trials[k].notna().any()}
        if (trials.throttle != "").any():
            row["GPU held back by"] = throttle_words(of_round.throttle)
        rows.append(row)
    return pd.DataFrame(rows)


def throttle_words(bits: pd.Series) -> str:
    """NVML's reasons in words, of all trials together; `nothing` if no bit was set."""
    all_bits = int(np.bitwise_or.reduce([int(b, 16) for b in bits if b] or [0]))
    return ", ".join(name for bit, name in THROTTLE_REASONS.items() if all_bits & bit) or "nothing"


def along_with(trials: pd.DataFrame) -> list[str]:
    """What slow trials had more or less of than others, if their ranks leave no doubt of it."""
    sentences = []
    for key, measure in MEASURES.items():
        pairs = trials[["usual", key]].dropna()
        if len(pairs) < LEAST_TRIALS or pairs[key].nunique() < 2:
            continue
        rho, p = stats.spearmanr(pairs.usual, pairs[key])
        if abs(rho) >= LEAST_CORRELATION and p < CERTAIN:
            which = "slower" if rho > 0 else "faster"
            sentences.append(
                f"Trials with {measure.more} were {which} than usual (rank correlation {rho:.2f}, {len(pairs)} trials)."
            )
    return sentences


def blocks(data: RunData, control_ids: list[str]) -> list[Block]:
    """The machine's state: in the median trial, what slow trials had, and by round; nothing without a round."""
    trials = state(data)
    if trials.empty:
        return []
    names = {key: measure.name for key, measure in MEASURES.items()}
    deltas = {v: data.delta(v) for v in control_ids}
    itself = {heading(data, v, control_ids): itself_by_round(data, v) for v in control_ids}
    draw = partial(plots_rounds.noise, data, control_ids, trials, names, deltas)
    return [
        *paragraphs([*medians_words(trials), *along_with(trials)]),
        Figure("noise", draw, "identical code and the machine's state, by round"),
        Fold(
            "The machine's state, in the median trial of each round",
            [Table.of(by_round(trials, itself).to_dict("records")), Paragraph(meaning(trials, itself=bool(itself)))],
        ),
    ]


def heading(data: RunData, variant_id: str, control_ids: list[str]) -> str:
    """The heading of a variant's arms; it has the variant's name if there are several."""
    return "A' over A" if len(control_ids) == 1 else f"A' over A, {label(data, variant_id)}"


def medians_words(trials: pd.DataFrame) -> list[str]:
    """The machine's state in the median trial, as far as it could be read."""
    medians = [f"{m.name} {m.shown(trials[key].median())}" for key, m in MEASURES.items() if trials[key].notna().any()]
    return [f"The machine in the median trial: {', '.join(medians)}."] if medians else []


MEANING = (
    "*Step vs median*: the trials' steps over their own arm's median. *Stolen*: CPU seconds a second that the "
    "hypervisor gave to others. *CPU pressure*: the share of the time in which some process waited for a CPU. "
    "*Context switches*: how often a trial lost its CPU against its will. Nothing is dropped for any of it."
)


HELD = (
    " *Held by power*, *held by heat*: the share of the timed steps' time in which the limit of the GPU's power, or of "
    "its heat, held its clock back, by NVML's counters; *GPU held back by* is what NVML reported at these steps' end."
)


ITSELF = " *A' over A*: how many times as fast A' was as A, which is the same code."


def meaning(trials: pd.DataFrame, *, itself: bool) -> str:
    """The meaning of the state's columns."""
    return MEANING + (ITSELF if itself else "") + (HELD if trials[["capped", "hot"]].notna().any(axis=None) else "")


def busy_words(data: RunData) -> list[str]:
    """A sentence that something else used the CPU, if the machine's state shows it.

    Variants with loader workers, several ranks or a number of threads of their own don't count: they wait anyway.
    """
    one_process = {v: variant for v, variant in data.variants.items() if variant.world_size == 1}
    alone = [v for v, variant in one_process.items() if not variant.loads_in_processes and variant.threads is None]
    trials = state(data)
    trials = trials[trials.variant_id.isin(alone)]
    shares = [
        f"{MEASURES[key].name} {percent(trials[key].median())}"
        for key in ("pressure", "stolen")
        if trials[key].median() >= BUSY
    ]
    if not shares:
        return []
    return [
        f"Something else used the CPU meanwhile ({', '.join(shares)} in the median trial), which widens intervals. "
        "Measure again when the machine is quiet."
    ]


def quota_words(data: RunData) -> list[str]:
    """A sentence that PyTorch takes more threads than a container's quota lets run, and what to set instead.

    Nothing if no variant on the CPU leaves the number of threads to PyTorch.
    """
    host = data.run.environment
    ran = [data.variants[v] for v in data.runnable]
    asked = any(variant.threads is None and not variant.kind.accelerates for variant in ran)
    if not host.cpu_quota or not host.torch_threads or not asked:
        return []
    fit = max(1, min(int(host.cpu_quota), host.cores or host.torch_threads))
    if host.torch_threads <= fit:
        return []
    return [
        f"PyTorch takes {host.torch_threads} threads here, and the container's quota is {host.cpu_quota:.3g} CPUs: "
        "it stops the threads beyond that again and again, so steps take longer and vary more. "
        f"Set their number: --axis threads={fit}, or OMP_NUM_THREADS={fit}."
    ]
