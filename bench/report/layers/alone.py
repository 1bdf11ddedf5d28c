"""The section of layers alone: the results of `bench micro`, compared with the same layers in a step."""

import math
from pathlib import Path
from typing import Literal

import msgspec
import pandas as pd

from bench.analyse.labels import named
from bench.analyse.load import RunData
from bench.core.facts import Number, Positive, PositiveCount, Text
from bench.core.header import VariantId
from bench.core.records import RecordError, decoder_words
from bench.core.text import code
from bench.core.traces import ALL, BETWEEN
from bench.report.document import Block, Paragraph, Section, Table
from bench.report.page import Report
from bench.report.words import count, number, seconds

FOLDER = "micro"
COLUMNS = ["variant_id", "layer", "phase", "cache", "seconds", "page_faults", "rounds"]
LEAST_SHOWN = 0.005
"""The least share of the layers' time in place that a layer in the table takes."""
MOST_NAMED = 3
OUTSIDE = ("data", "h2d", "loss", "scaler", "optimizer", "read")
"""The phases that no layer is in."""


class Info(msgspec.Struct):
    """What the suite records of a result."""

    variant_id: VariantId
    layer: Text
    phase: Literal["forward", "backward"]
    cache: Literal["hot", "cold"]
    page_faults: Number


class Stats(msgspec.Struct):
    """What pytest-benchmark measured."""

    median: Positive
    rounds: PositiveCount


class Result(msgspec.Struct):
    """One layer in one phase, with hot or cold caches."""

    extra_info: Info
    stats: Stats


class Results(msgspec.Struct):
    """A file of pytest-benchmark."""

    benchmarks: list[Result]


def read(data: RunData) -> pd.DataFrame:
    """The last result of each variant, layer, phase and cache that was measured alone: columns COLUMNS.

    Seconds are medians over rounds. Raises RecordError for a file that pytest-benchmark did not write.
    """
    rows = []
    for path in sorted((data.folder / FOLDER).glob("*/*.json"), key=lambda p: p.stat().st_mtime):
        rows += of_file(path)
    results = pd.DataFrame(rows, columns=COLUMNS)
    known = results[results.variant_id.isin(data.runnable)]
    return known.drop_duplicates(["variant_id", "layer", "phase", "cache"], keep="last")


def of_file(path: Path) -> list[tuple[object, ...]]:
    """The results of a file as rows of COLUMNS. Raises RecordError if pytest-benchmark did not write it."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results).benchmarks
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        msg = f"{path}: no results of bench micro ({decoder_words(error)})"
        raise RecordError(msg) from error
    infos = ((result.extra_info, result.stats) for result in results)
    return [(i.variant_id, i.layer, i.phase, i.cache, s.median, i.page_faults, s.rounds) for i, s in infos]


def section(report: Report) -> Section | None:
    """Each layer alone compared with the layer in place, and why their sums differ; nothing without results."""
    results = read(report.data)
    parts: list[Block] = [
        Section(
            named(report.data, variant_id),
            [shown(table), Paragraph(sum_words(report, variant_id, table, of_variant))],
            level=3,
        )
        for variant_id, (table, of_variant) in tables_of(report, results).items()
    ]
    if not parts:
        return None
    rounds = results.rounds.min()
    words = (
        "Each layer taken out of a step and run by itself on the tensors that it had there, forward and backward "
        f"(`python -m bench micro`, medians of {rounds} rounds). *Hot*: straight after the call before it (for "
        "backward, its forward); *cold*: with the caches filled by something else. Layers that take less than 0.5 % of "
        "the step are in tables/micro.csv."
    )
    return Section("Layers alone", [Paragraph(words), *parts])


def write_table(report: Report) -> None:
    """Write micro.csv, if a section shows results."""
    results = read(report.data)
    if tables_of(report, results):
        report.table("micro", results)


def sums(report: Report) -> dict[str, str]:
    """What a variant's layers alone sum to, compared with its step, in words by variant."""
    pairs = tables_of(report, read(report.data))
    return {variant_id: sum_words(report, variant_id, table, rows) for variant_id, (table, rows) in pairs.items()}


def tables_of(report: Report, results: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Of each variant that has layers in place, the table of them in place and alone, and its own rows of results."""
    by_variant = {str(variant_id): rows for variant_id, rows in results.groupby("variant_id", sort=False)}
    pairs = {variant_id: (beside_place(report, variant_id, rows), rows) for variant_id, rows in by_variant.items()}
    return {variant_id: pair for variant_id, pair in pairs.items() if len(pair[0])}


def beside_place(report: Report, variant_id: str, results: pd.DataFrame) -> pd.DataFrame:
    """The seconds of each layer in place, alone and hot, alone and cold: forward and backward together.

    Columns are type, in_place, hot, cold. A sum is NaN if the layer was measured alone without its forward, or without
    its backward though it has one in place.
    """
    place = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer != BETWEEN)]
    place = place.set_index("layer")
    phases = results.set_index(["layer", "cache", "phase"])["seconds"].unstack("phase")  # noqa: PD010 - see below
    phases = phases.reindex(columns=["forward", "backward"])
    has_backward = place.backward_s.reindex(phases.index.get_level_values("layer")).gt(0).to_numpy()
    whole = phases.forward + phases.backward.where(has_backward | phases.backward.notna(), 0.0)
    table = place[["type"]].assign(in_place=place.forward_s + place.backward_s.fillna(0.0))
    by_cache = whole.unstack("cache")  # noqa: PD010 - two values of one layer must be an error
    table = table.join(by_cache).reindex(columns=["type", "in_place", "hot", "cold"])
    return table[table.index.isin(results.layer)]


def shown(table: pd.DataFrame) -> Table:
    """The heavy layers, then the sum of all layers."""
    heavy = table[table.in_place >= LEAST_SHOWN * table.in_place.sum()]
    rows = [
        {
            "layer": layer,
            "type": row.type,
            "in place": seconds(row.in_place),
            "alone, hot": seconds(row.hot),
            "alone, cold": seconds(row.cold),
            "hot / in place": number(row.hot / row.in_place),
        }
        for layer, row in heavy.iterrows()
    ]
    whole = table[["in_place", "hot", "cold"]].sum(min_count=len(table))
    rows.append(
        {
            "layer": ALL,
            "type": "",
            "in place": seconds(whole.in_place),
            "alone, hot": seconds(whole.hot),
            "alone, cold": seconds(whole.cold),
            "hot / in place": number(whole.hot / whole.in_place),
        }
    )
    return Table.of(rows)


def sum_words(report: Report, variant_id: str, table: pd.DataFrame, results: pd.DataFrame) -> str:
    """What lies between the sum of a variant's layers alone and its measured step."""
    step = report.steps.set_index("variant_id").loc[variant_id]
    all_layers = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer != BETWEEN)]
    all_layers = all_layers.dropna(subset="forward_s")  # a step does not call the others
    if missing := len(all_layers) - int(table.hot.notna().sum()):
        text = f"{missing} of {len(all_layers)} layers were not measured whole"
        return f"Alone and hot, {text}, so there is no sum of them."
    hot_s, cold_s, place_s = (float(table[name].sum(min_count=len(table))) for name in ("hot", "cold", "in_place"))
    cold = "" if math.isnan(cold_s) else f" and {seconds(cold_s)} with cold ones"
    outside = {phase: float(step[f"{phase}_s"]) for phase in OUTSIDE if step[f"{phase}_s"] > 0}
    between = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer == BETWEEN)]
    outside["code between layers"] = float(between[["forward_s", "backward_s"]].sum().sum())
    most = sorted(outside.items(), key=lambda item: -item[1])[:MOST_NAMED]
    text = ", ".join(f"{name} {seconds(value)}" for name, value in most)
    outside_s = sum(outside.values())
    rest_s = step.step_s - place_s - outside_s
    parts = [
        f"Alone, the layers sum to {seconds(hot_s)} with hot caches{cold}; the measured "
        f"step takes {seconds(step.step_s)}, {longer(step.step_s - hot_s)} than the former.",
        f"In place the layers take {seconds(place_s)}, {longer(place_s - hot_s)} than alone and hot"
        f"{most_words(table, place_s - hot_s)}; all that is not a layer takes {seconds(outside_s)} ({text}); and the "
        f"plain step is {longer(rest_s)} than the stamped one, which these are the parts of.",
    ]
    alone_faults = results[results.cache == "hot"].page_faults.sum()
    if step.page_faults > 0:
        parts.append(
            f"A step takes {count(step.page_faults)} page faults, the layers alone {count(alone_faults)}: a layer "
            "alone gives memory back after a call and must map it again at the next, unless the allocator keeps it."
        )
    return " ".join(parts)


def most_words(table: pd.DataFrame, difference_s: float) -> str:
    """The layers that add most to a difference between in place and alone, in the direction of its sign."""
    sign = 1 if difference_s >= 0 else -1
    most = (sign * (table.in_place - table.hot)).sort_values(ascending=False).head(MOST_NAMED)
    most = most[most > 0]
    return (
        f" (most in {', '.join(f'{code(layer)}: {seconds(value)}' for layer, value in most.items())})"
        if len(most)
        else ""
    )


def longer(value_s: float) -> str:
    """Seconds as how much longer or shorter."""
    return f"{seconds(abs(value_s))} {'longer' if value_s >= 0 else 'shorter'}"
