"""The answer of a run: its fastest valid variant, by how much, and the lines that give it."""

import pandas as pd

from bench.analyse import advice, tables
from bench.analyse.labels import label
from bench.analyse.load import RunData, variant_axes
from bench.analyse.verdicts import FASTER, SAME, SLOWER
from bench.analyse.words import interval, number
from bench.variants import from_row

Lines = list[str]


def lines(data: RunData, steps: pd.DataFrame) -> Lines:
    """The answer for each device and model of the run."""
    groups: dict[tuple[str, str], list[str]] = {}
    for variant_id in steps.variant_id:
        axes = variant_axes(data, variant_id)
        groups.setdefault((axes["device"], axes["model"]), []).append(variant_id)
    found: Lines = []
    for (device, model), members in groups.items():
        heading = [f"On **{device}**, {model}:", ""] if len(groups) > 1 else []
        found += heading + group_lines(data, steps[steps.variant_id.isin(members)])
    return found


def group_lines(data: RunData, steps: pd.DataFrame) -> Lines:
    """The answer among variants of one device and model."""
    best = fastest(data, steps)
    if best is None:
        return ["No variant was measured in a complete round, so there is no answer.", ""]
    row = steps.set_index("variant_id").loc[best]
    axes = variant_axes(data, best)
    baseline, notebook = tables.baseline_of(data, best), notebook_of(data, best)
    parts = [f"**{label(data, best)}** trains {number(row.images_per_s)} images/s"]
    for reference, name in ((notebook, "the notebook's loop"), (baseline, "the baseline")):
        if reference and reference != best:
            ratio, n = tables.ratio_to(data, best, reference)
            parts.append(f"{interval(ratio.estimate, ratio.lo, ratio.hi)} times {name} ({n} rounds)")
    text = f"Fastest: {parts[0]}" + (f": {' and '.join(parts[1:])}." if parts[1:] else ".")
    found = [text, "", standing(data, steps, best, row.verdict), ""]
    python, shell = advice.lines_of(axes)
    if python:
        found += ["What gives it, against the notebook's loop:", "", "```python", *python, "```", ""]
    if shell:
        found += [
            "and in the environment, before Python starts:",
            "",
            "```sh",
            f"export {' '.join(shell)}",
            "```",
            "",
        ]
    if command := advice.nin_command(axes):
        found += ["Or train under it at once:", "", "```sh", command, "```", ""]
    return found


def fastest(data: RunData, steps: pd.DataFrame) -> str | None:
    """The variant with the most images a second among those with complete rounds; None without any."""
    valid = steps.variant_id.map(lambda variant_id: tables.outcome(data, variant_id)[0] == "ok")
    counted = steps[(steps.n > 0) & valid]
    return None if counted.empty else str(counted.loc[counted.images_per_s.idxmax(), "variant_id"])


def notebook_of(data: RunData, variant_id: str) -> str | None:
    """The notebook's loop on the same device, batch and model, if the run has it."""
    baseline = from_row(variant_axes(data, variant_id)).baseline
    for other in data.variants.variant_id:
        candidate = from_row(variant_axes(data, other))
        if candidate.is_notebook and candidate.baseline == baseline:
            return str(other)
    return None


def standing(data: RunData, steps: pd.DataFrame, best: str, verdict: str) -> str:
    """How sure the answer is: its verdict, and which others it can't be told from."""
    if not data.run["plan"]["verdicts"]:
        return "This look gives estimates and no verdicts: take the preset quick for those."
    if from_row(variant_axes(data, best)).is_baseline:
        return "No variant came out ahead of the baseline."
    words = {
        FASTER: "Against the baseline the verdict is FASTER.",
        SAME: "Against the baseline the verdict is SAME: the gain is too small to matter.",
        SLOWER: "Against the baseline the verdict is SLOWER.",
    }
    text = words.get(verdict, f"Against the baseline the verdict is {verdict}: this is an estimate, not a finding.")
    close = []
    for other in steps.loc[(steps.n > 0) & (steps.variant_id != best), "variant_id"]:
        ratio, _ = tables.ratio_to(data, best, other)
        if ratio.known and ratio.lo <= 1:
            close.append(label(data, other))
    if close:
        text += f" These rounds do not tell it apart from {', '.join(close)}."
    return text


def layered_variants(data: RunData, steps: pd.DataFrame, layered: set[str]) -> list[str]:
    """The first baseline and the fastest variant that have layers: those whose table is shown."""
    with_layers = steps[steps.variant_id.isin(layered)]
    baselines = set(data.variants.loc[data.variants.baseline == "True", "variant_id"])
    first = [v for v in with_layers.variant_id if v in baselines][:1]
    best = fastest(data, with_layers)
    shown = first + [v for v in (best,) if v and v not in first]
    return shown or list(with_layers.variant_id[:1])


def batch_families(data: RunData, steps: pd.DataFrame) -> dict[str, list[str]]:
    """Variants that differ in the batch size alone, in its order; only where there are several sizes."""
    families: dict[tuple[str, ...], list[str]] = {}
    for variant_id in steps.dropna(subset="images_per_s").variant_id:
        axes = variant_axes(data, variant_id)
        families.setdefault(tuple(v for n, v in axes.items() if n != "batch_size"), []).append(variant_id)
    return {
        label(data, members[0]).partition(" (")[0]: sorted(members, key=lambda v: tables.batch_of(data, v))
        for members in families.values()
        if len(members) > 1
    }
