"""What a reader can do: the lines that switch a variant on, and what page faults and compiling cost."""

import math
from typing import Any

import pandas as pd

from bench.analyse.labels import label, named
from bench.analyse.load import RunData, variant_axes
from bench.analyse.stats import NOTHING
from bench.analyse.tables import baseline_of, items_of, ratio_to
from bench.analyse.verdicts import FASTER, SAME, SLOWER
from bench.core.axes.allocator import ALLOCATOR
from bench.core.axes.axis import SetBy
from bench.core.axes.compile_mode import COMPILE_MODE
from bench.core.axes.mode import MODE
from bench.core.axes.precision import PRECISION
from bench.core.header import Header
from bench.core.variants import AXES, LARGEST
from bench.report import commands
from bench.report.words import count, interval, percent, seconds, size

FEWER_FAULTS = 0.1
"""The largest share of its baseline's page faults with which a variant that is FASTER proves them the cause."""


def lines_of(axes: dict[str, str]) -> tuple[list[str], list[str]]:
    """The Python lines and the shell variables by which a variant differs from its baseline.

    Those of the precision come last: they stand around the forward pass, and the others before it.
    """
    names = sorted(axes, key=lambda name: AXES[name] is PRECISION)
    changed = [AXES[name].value(axes[name]) for name in names if axes[name] != AXES[name].default]
    infers = MODE.value(axes["mode"]).infers
    python = [line for v in changed for line in (v.inference if infers and v.inference else v.python_lines)]
    return python, [word for value in changed for word in value.export_words]


def nin_command(run: Header, axes: dict[str, str]) -> str:
    """The call of `python -m nin` that trains as a variant; empty for what that command does not have."""
    if any(axes[n] != AXES[n].default for n in ("model", "mode", "world_size")) or axes["batch_size"] == LARGEST:
        return ""
    options = [
        f"--{name.replace('_', '-')} {axes[name]}"
        for name, axis in AXES.items()
        if axis.set_by is not SetBy.CHILD and not (axis.of_cuda and axes[name] == axis.default)
    ]
    return " ".join([*lines_of(axes)[1], commands.nin(run, *options)])


def page_fault_sentences(data: RunData, steps: pd.DataFrame) -> list[str]:
    """What the page faults of each baseline cost, by the variant that differs only in keeping freed memory.

    Calls them the cause only if that variant has a tenth of them or fewer, and is FASTER.
    """
    rows = steps.set_index("variant_id")
    sentences = []
    for variant_id in rows.index:
        axes = variant_axes(data, variant_id)
        baseline = baseline_of(data, variant_id)
        if not ALLOCATOR.value(axes["allocator"]).keeps or baseline is None or baseline not in rows.index:
            continue
        base, kept = rows.loc[baseline], rows.loc[variant_id]
        alike = axes == variant_axes(data, baseline) | {"allocator": axes["allocator"]}
        if alike and base.page_faults > 0 and kept.page_faults <= FEWER_FAULTS * base.page_faults:
            sentences.append(_page_fault_sentence(data, named(data, baseline), axes["allocator"], base, kept))
    return sentences


def _page_fault_sentence(
    data: RunData,
    name: str,
    allocator: str,
    base: Any,  # noqa: ANN401 - a row of a frame
    kept: Any,  # noqa: ANN401
) -> str:
    environment = data.run.environment
    mapped = size(base.page_faults * (environment.page_bytes or math.nan))
    mapped_words = "" if environment.huge_pages == "always" else f" ({mapped} mapped, some of it several times)"
    facts = (
        f"A step of the {name} takes {count(base.page_faults)} minor page faults{mapped_words} and "
        f"{seconds(base.cpu_system_s)} of system time over all cores; with `{allocator}`, which differs only in that "
        f"the process keeps freed memory, it takes {count(kept.page_faults)} and {seconds(kept.cpu_system_s)}"
    )
    if kept.verdict == FASTER:
        shorter = " ".join(
            [percent(1 - 1 / kept.ratio), f"[{percent(1 - 1 / kept.ratio_lo)}, {percent(1 - 1 / kept.ratio_hi)}]"]
        )
        cause = f"**The page faults are the cause of {shorter} of the {name}'s step**"
        return f"{facts}. {cause}, which is what `{allocator}` takes away."
    ends = {
        SAME: "; the step is as long without them: they cost nothing that matters here.",
        SLOWER: "; yet the step is longer: they are not what costs here.",
    }
    if not kept.n:
        return f"{facts}; no round that counts measured whether the step is shorter for it."
    return facts + ends.get(kept.verdict, "; these rounds do not settle whether the step is shorter for it.")


COMPILER_COUNTS = ("graphs", "graph_breaks", "recompiles")


def break_even(data: RunData, steps: pd.DataFrame) -> pd.DataFrame:
    """What compiling costs and after how many steps it is repaid, compared with the eager variant, all else equal.

    Columns: variant, eager_s, compiled_s, items (of a step), times_eager (in words), cold_s and warm_s (of compiling),
    cold_steps, warm_steps, and COMPILER_COUNTS. Steps are NaN if eager was not measured in the same rounds or the
    interval leaves open whether there is a gain, infinite if the compiled step is longer.
    """
    by_axes = {tuple(variant_axes(data, v).items()): str(v) for v in steps.variant_id}
    rows = []
    for row in steps.dropna(subset="compile_cold_s").to_dict("records"):
        axes = variant_axes(data, row["variant_id"]) | {"compile_mode": COMPILE_MODE.default}
        eager = by_axes.get(tuple(axes.items()))
        ratio = ratio_to(data, row["variant_id"], eager)[0] if eager else NOTHING
        gain_s = row["step_s"] * (ratio.estimate - 1)
        if not ratio.known or ratio.lo <= 1 <= ratio.hi:
            gain_s = math.nan
        rows.append(
            {
                "variant": label(data, row["variant_id"]),
                "eager_s": data.spread(eager, "wall").estimate if eager else math.nan,
                "compiled_s": row["step_s"],
                "items": items_of(data, row["variant_id"]),
                "cold_s": row["compile_cold_s"],
                "warm_s": row["compile_warm_s"],
                "times_eager": interval(ratio.estimate, ratio.lo, ratio.hi),
                "cold_steps": repaid(row["compile_cold_s"], gain_s),
                "warm_steps": repaid(row["compile_warm_s"], gain_s),
            }
            | {n: data.spread(row["variant_id"], n, "process").estimate for n in COMPILER_COUNTS}
        )
    return pd.DataFrame(rows)


def repaid(cost_s: float, gain_s: float) -> float:
    """The steps after which a gain a step repays a cost: infinite without a gain, NaN if the gain is not known."""
    if math.isnan(gain_s):
        return math.nan
    return cost_s / gain_s if gain_s > 0 else math.inf
