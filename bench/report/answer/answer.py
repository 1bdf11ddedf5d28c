"""The answer of a run: its fastest valid variant, by how much, and the lines that switch it on."""

import math

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import DEFAULT_WORDS, label, named
from bench.analyse.load import RunData, cell, variant_axes
from bench.analyse.stats import NOTHING
from bench.core.axes.precision import PRECISION
from bench.core.axes.world_size import ALONE
from bench.core.progress import duration
from bench.core.text import marked
from bench.core.variants import from_row
from bench.report import commands
from bench.report.answer import advice, caveats, idle, standing
from bench.report.document import Block, Code, Note, Paragraph, Section, paragraphs
from bench.report.page import Report
from bench.report.trust import effect, machine
from bench.report.words import count_of, interval, number

EPOCHS = 5
"""What `python -m nin` trains by default."""


def section(report: Report) -> Section:
    """The fastest variant of each device and model, and how to switch it on; doubts come last."""
    doubts = [Note(sentence) for sentence in (*machine.quota_words(report.data), *machine.busy_words(report.data))]
    return Section("The answer", [*blocks(report.data, report.steps), *doubts])


def groups(data: RunData, steps: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The steps table by device and model: variants are compared only within such a group."""
    keys = [(axes["device"], axes["model"]) for axes in (variant_axes(data, v) for v in steps.variant_id)]
    return {key: steps[[other == key for other in keys]] for key in dict.fromkeys(keys)}


def blocks(data: RunData, steps: pd.DataFrame) -> list[Block]:
    """The answer for each device and model of the run."""
    parts: list[Block] = []
    by_group = groups(data, steps)
    for (device, model), rows in by_group.items():
        if len(by_group) > 1:
            parts.append(Paragraph(f"On **{device}**, {marked(model)}:"))
        parts += of_group(data, rows)
    return parts


def of_group(data: RunData, steps: pd.DataFrame) -> list[Block]:
    """The answer among variants of one device and model, and how to switch it on."""
    best = fastest(data, steps)
    shown = paragraphs(sentences(data, steps, best))
    if best is None:
        return shown
    return [
        *shown,
        *switch_on(data, idle.axes_that_act(data, best), steps.set_index("variant_id").epoch_s[best]),
        *paragraphs(idle.words(data, best)),
        *faster_in_pilot(data, steps, best),
        *paragraphs([*notebook_words(data, steps, best), *noise_words(data, best)]),
    ]


def sentences(data: RunData, steps: pd.DataFrame, best: str | None) -> list[str]:
    """Which variant of one device and model is the fastest, by how much and how sure; or why there is no answer."""
    if best is None:
        return [no_answer(data), *died_words(data, steps, None), *invalid_words(data, steps)]
    row = steps.set_index("variant_id").loc[best]
    parts = []
    for reference, name in (
        (notebook_of(data, best), "the notebook's loop"),
        (tables.baseline_of(data, best), "the baseline"),
    ):
        ratio, n = tables.ratio_to(data, best, reference) if reference else (NOTHING, 0)
        if n:
            parts.append(f"{interval(ratio.estimate, ratio.lo, ratio.hi)} times {name} ({count_of(n, 'round')})")
    works = "infers" if data.infers else "trains"
    text = f"Fastest: **{named(data, best)}** {works} {number(row.items_per_s)} {tables.unit_of(data)}/s"
    return [
        f"{text}: {' and '.join(parts)}." if parts else f"{text}.",
        *standing.sentences(data, steps, best, row.verdict),
        *effect.sentence(data, best),
        *caveats.precision_words(data, best),
        *died_words(data, steps, row.items_per_s),
        *invalid_words(data, steps),
        *beyond_words(data, steps, best),
    ]


def no_answer(data: RunData) -> str:
    """Why there is no answer."""
    if not data.rounds:
        return "No round was completed, so there is no answer: the pilot has one trial of each variant."
    return "No variant was ok in every complete round, so there is no answer."


def invalid_words(data: RunData, steps: pd.DataFrame) -> list[str]:
    """A sentence for each variant that is INVALID, with the reason."""
    outcomes = {v: tables.outcome(data, v) for v in steps.variant_id}
    return [
        f"**{named(data, v)}** is INVALID, so it has no speed: {marked(reason)}."
        for v, (status, reason) in outcomes.items()
        if status == "invalid"
    ]


def beyond_words(data: RunData, steps: pd.DataFrame, best: str) -> list[str]:
    """A sentence on the fastest at each other batch size that has the notebook's loop.

    Then one on the fastest of all batch sizes, if it is faster than the answer.
    """
    counted = steps[(steps.n > 0) & (steps.items_per_s > 0)].set_index("variant_id")
    sentences, unit = [], tables.unit_of(data)
    beside: dict[float, list[str]] = {}
    for v in counted.index:
        if tables.batch_of(data, v) != tables.batch_of(data, best) and notebook_of(data, v) in counted.index:
            beside.setdefault(tables.batch_of(data, v), []).append(str(v))
    for size, members in sorted(beside.items()):
        top = str(counted.items_per_s[members].idxmax())
        ratio, n = tables.ratio_to(data, top, str(notebook_of(data, top)))
        if n:
            gain = interval(ratio.estimate, ratio.lo, ratio.hi)
            name, rate = named(data, top, but="batch_size"), number(counted.items_per_s[top])
            sentences.append(
                f"At batch {size:.0f} the fastest is {name}: {rate} {unit}/s, {gain} times the notebook's loop at that "
                f"batch ({count_of(n, 'round')})."
            )
    faster = counted.items_per_s[counted.items_per_s > counted.items_per_s[best]]
    if len(faster):
        top = str(faster.idxmax())
        sentences.append(f"Faster yet, but another recipe: {named(data, top)}, {number(faster[top])} {unit}/s.")
    return sentences


def faster_in_pilot(data: RunData, steps: pd.DataFrame, best: str) -> list[Block]:
    """The variant without rounds whose pilot was faster than the pilot of the rounds' fastest, if any.

    Nothing if there was a race: what it left behind was compared in its rounds.
    """
    if not data.rounds or data.run.state.candidates is not None:
        return []
    pilots = cell(data.values, "wall")
    pilots = pilots[pilots.stage == "pilot"].drop_duplicates("variant_id", keep="last").set_index("variant_id")["value"]
    rates = {v: tables.items_of(data, v) / pilots[v] for v in steps.variant_id[steps.n == 0] if v in pilots.index}
    rates = {v: rate for v, rate in rates.items() if tables.outcome(data, v)[0] == "ok"}
    if best not in pilots.index or not rates:
        return []
    own, top = tables.items_of(data, best) / pilots[best], max(rates, key=lambda v: rates[v])
    if rates[top] <= own:
        return []
    axes, changed, unit = variant_axes(data, best), variant_axes(data, top), tables.unit_of(data)
    both = from_row(axes | {name: value for name, value in changed.items() if value != DEFAULT_WORDS[name]})
    in_part = f", and it took effect in part ({missing})" if (missing := effect.words(data, top)) else ""
    coarser = ", and it computes more coarsely (see below)" if PRECISION.value(both.precision).autocast else ""
    words = (
        f"**In the pilot {named(data, top)} was faster**: {number(rates[top])} {unit}/s, this one {number(own)}, each "
        f"in one trial. That gives no verdict{coarser}{in_part}. This measures it in rounds, together with the "
        "fastest's own settings:"
    )
    command = commands.bench(data.run, "run", f"--variant {best}", f"--variant {both.id}")
    return [Paragraph(words), Code([command], "sh")]


def switch_on(data: RunData, axes: dict[str, str], epoch_s: float) -> list[Block]:
    """How to train under a variant; `epoch_s` is the seconds of an epoch of 60,000 images."""
    python, shell = advice.lines_of(axes)
    parts: list[Block] = []
    if python:
        parts += [Paragraph("What to change in the baseline:"), Code(python, "python")]
    if shell:
        of_glibc = any("MALLOC_" in words for words in shell)
        why = " (Linux with glibc; 100 GB are in effect never reached)" if of_glibc else ""
        where = f"in the environment, before Python starts{why}:"
        lead = f"and {where}" if python else f"What to change in the baseline, {where}"
        parts += [Paragraph(lead), Code([f"export {' '.join(shell)}"], "sh")]
    if command := advice.nin_command(data.run, axes):
        long = f" ({EPOCHS} epochs of about {duration(epoch_s)} each)" if epoch_s > 0 else ""
        parts += [Paragraph(f"Or train so in this project's environment{long}:"), Code([command], "sh")]
    return parts


def notebook_words(data: RunData, steps: pd.DataFrame, best: str) -> list[str]:
    """What the difference between the notebook's loop and the baseline is worth."""
    notebook, baseline = notebook_of(data, best), tables.baseline_of(data, best)
    if notebook is None or baseline is None:
        return []
    ratio, n = tables.ratio_to(data, notebook, baseline)
    if not n:
        return []
    verdict = steps.set_index("variant_id").verdict.get(notebook, "")
    return [
        "The notebook's loop differs from the baseline in that PIL makes its images one by one and loss and hits "
        f"are read at every step: it trains {interval(ratio.estimate, ratio.lo, ratio.hi)} times as fast as the "
        f"baseline{f' ({verdict})' if verdict else ''}."
    ]


def noise_words(data: RunData, best: str) -> list[str]:
    """One sentence on how far the same code differed from itself."""
    baseline = tables.baseline_of(data, best)
    return [
        f"How noisy it was: the {named(data, control.variant_id)} was measured twice in every round, as A and A'; A' "
        f"was {interval(control.ratio.estimate, control.ratio.lo, control.ratio.hi)} times as fast as A."
        for control in tables.controls(data)
        if control.variant_id == baseline
    ]


def fastest(data: RunData, steps: pd.DataFrame) -> str | None:
    """The variant with the most items a second of those that were ok in every complete round; None if there is none.

    A variant whose trials died does not count: the trials that are left may be the lucky ones. Nor does one of several
    ranks, which may take more of the machine: its speed is in the section on scaling.
    If some batch sizes have the notebook's loop, only variants of these sizes count.
    """
    sound = steps.variant_id.map(lambda v: tables.outcome(data, v)[0] == "ok" and not tables.spoilt(data, v))
    alone = steps.variant_id.map(lambda v: data.variants[v].world_size == ALONE)
    counted = steps[(steps.n > 0) & sound & alone]
    beside = counted[[notebook_of(data, v) in set(counted.variant_id) for v in counted.variant_id]]
    counted = counted if beside.empty else beside
    return None if counted.empty else str(counted.loc[counted.items_per_s.idxmax(), "variant_id"])


def died_words(data: RunData, steps: pd.DataFrame, best: float | None) -> list[str]:
    """A sentence for each variant that would be the answer if its trials had not died."""
    return [
        f"{label(data, row.variant_id)} is not recommended: it was ok in {row.n} of {len(data.rounds)} rounds "
        f"({number(row.items_per_s)} {tables.unit_of(data)}/s in those)."
        for row in steps[steps.n > 0].itertuples()
        if tables.spoilt(data, row.variant_id) and (best is None or row.items_per_s > best)
    ]


def notebook_of(data: RunData, variant_id: str) -> str | None:
    """The notebook's loop on the same device, batch and model, if the run has it."""
    baseline = data.variants[variant_id].baseline
    notebooks = (v for v, variant in data.variants.items() if variant.is_notebook and variant.baseline == baseline)
    return next(notebooks, None)


def layered_variants(data: RunData, steps: pd.DataFrame, layered: set[str]) -> list[str]:
    """Of one group, the first baseline and the fastest variant that have layers: the page shows their tables."""
    return first_and_fastest(data, steps[steps.variant_id.isin(layered)])


def first_and_fastest(data: RunData, steps: pd.DataFrame) -> list[str]:
    """Of some variants the first baseline and the fastest; the first variant if there is neither."""
    first = [v for v in steps.variant_id if data.variants[v].is_baseline][:1]
    best = None if steps.empty else fastest(data, steps)
    chosen = first + [v for v in (best,) if v and v not in first]
    return chosen or list(steps.variant_id[:1])


def families(data: RunData, steps: pd.DataFrame, axis: str) -> dict[str, list[str]]:
    """The ids of variants that differ only in one axis, in its order, by their label; only if there are several."""
    by_axes: dict[str, list[str]] = {}
    for variant_id in steps.dropna(subset="items_per_s").variant_id:
        by_axes.setdefault(str(variant_axes(data, variant_id) | {axis: ""}), []).append(variant_id)
    return {
        label(data, members[0], but=axis): sorted(members, key=lambda v: place(data, v, axis))
        for members in by_axes.values()
        if len(members) > 1
    }


def place(data: RunData, variant_id: str, axis: str) -> float:
    """A variant's value on an axis of numbers; for threads that are not set, the number that torch takes."""
    if axis == "batch_size":
        return tables.batch_of(data, variant_id)
    value = variant_axes(data, variant_id)[axis]
    return float(data.run.environment.torch_threads or math.nan) if value == "unset" else float(value)
