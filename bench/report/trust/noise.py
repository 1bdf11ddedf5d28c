"""The section that says how a run was measured, how noisy it was, and what the machine did meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from bench.analyse import tables
from bench.analyse.ab_cells import stage_of
from bench.analyse.labels import named
from bench.analyse.load import RunData, cell
from bench.analyse.stats import LEAST_ROUNDS
from bench.analyse.verdicts import FEW_ROUNDS, Control
from bench.core.header import Header
from bench.core.progress import duration
from bench.core.text import MOST_OF_A_LINE, marked
from bench.core.traces import STAGE
from bench.report.document import Block, Figure, Fold, Paragraph, Section, Table, paragraphs
from bench.report.figures import plots_rounds
from bench.report.page import Page
from bench.report.words import count, count_of, interval, number, percent, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that the machine did during a trial."""

    name: str
    shown: Callable[[float], str]
    more: str
    """What a trial had more of, in a sentence."""


MEASURES = {
    "load": Measure(name="load, 1 min", shown=number, more="a higher load"),
    "stolen": Measure(name="stolen", shown=percent, more="more of its time stolen by the hypervisor"),
    "pressure": Measure(name="CPU pressure", shown=percent, more="more waiting for a CPU"),
    "switches": Measure(name="switched out", shown=count, more="more involuntary switches"),
    "clock": Measure(name="GPU MHz", shown=count, more="a higher clock"),
    "temperature": Measure(name="GPU \N{DEGREE SIGN}C", shown=count, more="a hotter GPU"),
    "power": Measure(name="GPU W", shown=count, more="more power drawn"),
    "capped": Measure(name="held by power", shown=percent, more="more time at their GPU's power limit"),
    "hot": Measure(name="held by heat", shown=percent, more="more time at their GPU's limit of heat"),
}
LEAST_CORRELATION, LEAST_TRIALS, CERTAIN = 0.4, 20, 0.001
"""A sentence on what went along with slow trials needs this rank correlation, this number of trials, and a p below."""

BUSY = 0.05
"""A share of the time: above it, the machine was not ours alone."""

THROTTLE_REASONS = {
    0x2: "clocks set", 0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost",
    0x20: "heat (software)", 0x40: "heat (hardware)", 0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
"""The bits of nvmlDeviceGetCurrentClocksEventReasons, by NVML's header, but for 0x1, which is an idle device."""


def warnings_section(page: Page) -> Section:
    """What of the run's files could not be read."""
    return Section("", paragraphs(f"Warning: {marked(w, MOST_OF_A_LINE)}." for w in page.data.warnings))


def section(page: Page) -> Section:
    """How it was measured, what identical code showed, and the machine's state by round."""
    data = page.data
    blocks: list[Block] = [Paragraph(how_words(data))]
    if data.run.plan.verdicts and 0 < len(data.rounds) < FEW_ROUNDS:
        few = f"**Only {count_of(len(data.rounds), 'round')}: {few_words(len(data.rounds))}**"
        blocks.append(Paragraph(f"{few} Give the run more time (--rounds, --budget)."))
    controls = tables.controls(data)
    for control in controls:
        walls = walls_of(data, control, data.rounds)
        blocks.append(Paragraph(control_sentence(control, walls, named(data, control.variant_id))))
    for control in stage_of(data, "confirm").controls:
        walls = walls_of(data, control, data.confirm_rounds)
        name = f"{named(data, control.variant_id)}, fresh rounds"
        blocks.append(Paragraph(control_sentence(control, walls, name)))
    blocks += warnings_section(page).blocks
    by_trial = state(data)
    if not by_trial.empty:
        blocks += machine_blocks(data, [control.variant_id for control in controls], by_trial)
    return Section("How it was measured", blocks)


def machine_blocks(data: RunData, control_ids: list[str], trials: pd.DataFrame) -> list[Block]:
    """The machine's state: in the median trial, with what it went along, and by round."""
    names = {key: measure.name for key, measure in MEASURES.items()}
    draw = partial(plots_rounds.noise, data, control_ids, trials, names)
    return [
        *paragraphs([*medians_words(trials), *along_with(trials)]),
        Figure("noise", draw, "identical code and the machine's state, by round"),
        Fold(
            "The machine's state, in the median trial of each round",
            [Table.of(by_round(trials).to_dict("records")), Paragraph(meaning(trials))],
        ),
    ]


def medians_words(trials: pd.DataFrame) -> list[str]:
    """The machine's state in the median trial, as far as it could be read."""
    medians = [f"{m.name} {m.shown(trials[key].median())}" for key, m in MEASURES.items() if trials[key].notna().any()]
    return [f"The machine in the median trial: {', '.join(medians)}."] if medians else []


ENDS = {"rounds": "with its last round", "budget": "with its budget", "interrupted": "when it was interrupted"}

MEANING = (
    "*Against usual*: the trials' steps over their own arm's median. *Stolen*: CPU seconds a second that the "
    "hypervisor gave to others. *CPU pressure*: the share of the time in which some process waited for a CPU. "
    "*Switched out*: how often a trial lost its CPU against its will. Nothing is dropped for any of it."
)


HELD = (
    " *Held by power*, *held by heat*: the share of the timed steps' time in which the limit of the GPU's power, or of "
    "its heat, held its clock back, by NVML's counters; *GPU held back by* is what NVML told as these steps ended."
)


def meaning(trials: pd.DataFrame) -> str:
    """What the columns of the state mean."""
    return MEANING + (HELD if trials[["capped", "hot"]].notna().any(axis=None) else "")


def how_words(data: RunData) -> str:
    """Rounds, arms, trials and steps."""
    arms, trials = data.run.state.arms, data.trials[data.trials.stage != STAGE]
    ended = ENDS.get(data.run.state.ended_because or "", "early")
    more = f", {len(data.confirm_rounds)} fresh ones of what they flagged" if data.confirm_rounds else ""
    in_rounds, pilots = len({v for v, _ in arms}), int((trials.stage == "pilot").sum())
    rounds = count_of(len(data.rounds), "complete round")
    return (
        f"{pilots} trials of the pilot, then {rounds} of {len(arms)} trials: of "
        f"{in_rounds} variants, baselines twice{more}. The run ended {ended}. "
        f"{len(trials)} trials in all, each a fresh process, in an "
        f"order drawn anew each round from seed {data.run.order}; they took {duration(trials.duration_s.sum())}."
        f"{predicted_words(data.run)}{counts_words(data)}"
    )


def predicted_words(run: Header) -> str:
    """How long the run was expected to take after its pilot, and how long it took."""
    predicted_s = run.learned.predicted_s
    if not predicted_s or not run.state.finished_at:
        return ""
    took_s = (run.state.finished_at - run.started_at).total_seconds()
    return f" After the pilot the run was expected to take {duration(predicted_s)}; it took {duration(took_s)}."


def counts_words(data: RunData) -> str:
    """How many steps a trial took, of each variant that was measured twice in a round."""
    counts = data.run.learned.counts
    sentences = []
    for variant_id in dict.fromkeys(v for v, arm in data.run.state.arms if arm == "A" and v in counts):
        steps = counts[variant_id]
        each = "" if steps.iterations == 1 else f", each the mean of {steps.iterations}"
        # Trials that do not record their paths are of an older kind: they took one kind after the other.
        in_turns = data.spread(variant_id, "step_paths", "process").estimate >= 1
        joined = "and in turns with them" if in_turns else "then"
        alike = each if steps.varied else ""
        sentences.append(
            f" A trial of the {named(data, variant_id)}: {steps.plain} plain steps{each}, which give the step, "
            f"{joined} {steps.stamped} stamped ones{alike}, which give phases and layers."
        )
    return "".join(sentences)


def busy_words(data: RunData) -> list[str]:
    """That something else used the CPU, if the machine's state says so.

    Variants with loader workers or threads of their own number wait for a CPU by themselves, so they say nothing.
    """
    alone = [v for v, variant in data.variants.items() if not variant.loads_in_processes and variant.threads is None]
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
        f"Something else used the CPU meanwhile ({', '.join(shares)} in the median trial): intervals are wide for it. "
        "Measure again when it is quiet."
    ]


def quota_words(data: RunData) -> list[str]:
    """That PyTorch takes more threads than a container's quota lets run, with what to set instead.

    Nothing if no variant on the CPU leaves their number to PyTorch.
    """
    host = data.run.environment
    ran = [data.variants[v] for v in data.runnable]
    asked = any(variant.threads is None and not variant.on_cuda for variant in ran)
    if not host.cpu_quota or not host.torch_threads or not asked:
        return []
    fit = max(1, min(int(host.cpu_quota), host.cores or host.torch_threads))
    if host.torch_threads <= fit:
        return []
    return [
        f"PyTorch takes {host.torch_threads} threads here, and the container's quota is {host.cpu_quota:.3g} CPUs: "
        "threads beyond it are stopped again and again, and steps are longer and swing for it. "
        f"Set their number: --axis threads={fit}, or OMP_NUM_THREADS={fit}."
    ]


def walls_of(data: RunData, control: Control, rounds: list[int]) -> pd.Series:
    """The steps of both arms of a control in some rounds."""
    walls = cell(data.values, "wall")
    walls = walls[(walls.variant_id == control.variant_id) & walls["round"].isin(rounds) & (walls.stage != "pilot")]
    return walls.loc[walls.arm.isin(("A", "A'")), "value"]


def few_words(rounds: int) -> str:
    """What may not be seen in so few rounds."""
    if rounds < LEAST_ROUNDS:
        return f"under {LEAST_ROUNDS} no verdict is given."
    return "a change of 10 % may go undecided."


def control_sentence(control: Control, walls: pd.Series, name: str) -> str:
    """What A against A' showed: the same code, compared with itself."""
    shown = interval(control.ratio.estimate, control.ratio.lo, control.ratio.hi, digits=3)
    text = (
        f"The same code against itself ({name}, A over A'): {shown} over {control.rounds} rounds; a trial's step "
        f"ranged from {seconds(walls.min())} to {seconds(walls.max())}."
    )
    if not control.noisy and control.ratio.known and not control.ratio.lo <= 1 <= control.ratio.hi:
        text += " It leaves out 1, as chance does once in twenty, but not by the change that matters."
    if control.noisy:
        return f"{text} **NOISY: identical code came out different, so {control.device} gets no verdict.**"
    return text


def state(data: RunData) -> pd.DataFrame:
    """A row a trial of complete rounds: round, `usual` (its step over its arm's median), and MEASURES; NaN unread."""
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
    """By trial, a share of its timed region."""
    return cell(data.values, metric).set_index("trial_id")["value"]


def by_round(trials: pd.DataFrame) -> pd.DataFrame:
    """The state by round, as it is shown; what no trial could read is left out."""
    rows = []
    for number_, of_round in trials.groupby("round"):
        above = round(100 * (of_round.usual.median() - 1))
        row = {"round": str(number_), "against usual": f"{above:+d} %" if above else "0 %"}
        row |= {m.name: m.shown(of_round[k].median()) for k, m in MEASURES.items() if trials[k].notna().any()}
        if (trials.throttle != "").any():
            row["GPU held back by"] = throttle_words(of_round.throttle)
        rows.append(row)
    return pd.DataFrame(rows)


def throttle_words(bits: pd.Series) -> str:
    """NVML's reasons in words, of all trials together; `nothing` if none was set."""
    together = int(np.bitwise_or.reduce([int(b, 16) for b in bits if b] or [0]))
    return ", ".join(name for bit, name in THROTTLE_REASONS.items() if together & bit) or "nothing"


def along_with(trials: pd.DataFrame) -> list[str]:
    """What slow trials had more of, or less, if the ranks leave no doubt that they go together."""
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
