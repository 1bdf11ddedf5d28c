"""The section on what compiling costs, and when it is repaid."""

import math

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.core.axes.precision import PRECISION, TF32
from bench.report.answer import advice
from bench.report.document import Section, Table, explained, paragraphs
from bench.report.page import Report
from bench.report.words import count, number, seconds


def section(report: Report) -> Section | None:
    """A row a compiled variant: what compiling costs, and when it is repaid."""
    table = advice.break_even(report.data, report.steps)
    if table.empty:
        return None
    unit = tables.unit_of(report.data)
    rows = [
        {
            "variant": row["variant"],
            "eager step": seconds(row["eager_s"]),
            "compiled step": seconds(row["compiled_s"]),
            "times eager": row["times_eager"],
            "compiling, cold": seconds(row["cold_s"]),
            "warm": seconds(row["warm_s"]),
            "repaid after, cold": steps_words(row["cold_steps"], row["items"], unit),
            "repaid after, warm": steps_words(row["warm_steps"], row["items"], unit),
            "graphs": count(row["graphs"]),
            "breaks": count(row["graph_breaks"]),
            "recompiled": count(row["recompiles"]),
        }
        for row in table.to_dict("records")
    ]
    words = (
        "*Compiling* is the first step less a later one: *cold* with an empty cache (the pilot), *warm* in a new "
        "process that uses the code of the one before (rounds). *Eager* is the same variant without compiling. "
        "Compiling is *repaid* only if the whole interval of *times eager* lies above 1. *Graphs* were compiled in the "
        "first step and *recompiled* ones later, before anything was timed; a graph that is compiled or breaks in the "
        "timed region makes a variant invalid."
    )
    more = [MM_WORDS] if tunes_in_tf32(report.data) else []
    if not any(row["times eager"] for row in rows):
        more.append(UNSETTLED_WORDS)
        rows = [{name: cell for name, cell in row.items() if name not in GAIN_COLUMNS} for row in rows]
    return Section("Compiling", [Table.of(rows), *paragraphs(more), explained(words)])


GAIN_COLUMNS = ("times eager", "warm", "repaid after, cold", "repaid after, warm")
UNSETTLED_WORDS = (
    "No round that counts measured a compiled variant together with its eager one, so it is not known whether "
    "compiling is repaid."
)


MM_WORDS = (
    "max-autotune turns 1x1 convolutions into matrix products: under precision `default` those compute in IEEE "
    "float32, while the convolutions would have used TF32."
)


def tunes_in_tf32(data: RunData) -> bool:
    """Whether a compiled variant has matrix products in place of convolutions that would have used TF32."""
    ran = [data.variants[v] for v in data.runnable]
    tuned = [v for v in ran if v.on_cuda and v.tunes and v.precision == PRECISION.default]
    indices = [int(variant.device.partition(":")[2] or 0) for variant in tuned]
    devices = data.run.environment.cuda_devices
    return any(index < len(devices) and devices[index].capability >= TF32.capability for index in indices)


def steps_words(steps: float, items: float, unit: str) -> str:
    """After how many steps and items; `never` without a gain, `not settled` if the gain is not known."""
    if math.isnan(steps):
        return "not settled"
    return "never" if steps == math.inf else f"{number(steps)} steps ({count(steps * items)} {unit})"
