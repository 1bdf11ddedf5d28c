"""The section of layers alone: what `bench micro` measured beside a run, compared with the same layers in a step."""

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
MOST_TOLD = 3
OUTSIDE = ("data", "h2d", "loss", "scaler", "optimizer", "read")


class Info(msgspec.Struct):
    """What the suite says of a result."""

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
    """A file of pytest-benchmark's."""

    benchmarks: list[Result]


def read(data: RunData) -> pd.DataFrame:
    """What was measured alone: the last result of each variant, layer, phase and cache, a median over rounds.

    RecordError for a file that pytest-benchmark did not write.
    """
    rows = []
    for path in sorted((data.folder / FOLDER).glob("*/*.json"), key=lambda p: p.stat().st_mtime):
        rows += of_file(path)
    results = pd.DataFrame(rows, columns=COLUMNS)
    known = results[results.variant_id.isin(data.runnable)]
    return known.drop_duplicates(["variant_id", "layer", "phase", "cache"], keep="last")


def of_file(path: Path) -> list[tuple[object, ...]]:
    """The results of a file as rows of COLUMNS."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results).benchmarks
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        msg = f"{path}: no results of bench micro ({decoder_words(error)})"
        raise RecordError(msg) from error
    infos = ((result.extra_info, result.stats) for result in results)
    return [(i.variant_id, i.layer, i.phase, i.cache, s.median, i.page_faults, s.rounds) for i, s in infos]


def section(report: Report) -> Section | None:
    """Each layer alone compared with the layer in place, and what the difference of the sums is made of."""
    results = read(report.data)
    parts: list[Block] = [
        Section(
            named(report.data, variant_id),
            [shown(table), Paragraph(sentences(report, variant_id, table, alone))],
            level=3,
        )
        for variant_id, (table, alone) in tables_of(report, results).items()
    ]
    if not parts:
        return None
    report.table("micro", results)
    rounds = results.rounds.min()
    words = (
        "Each layer taken out of a step and run by itself on the tensors that it had there, forward and backward "
        f"(`python -m bench micro`, medians of {rounds} rounds). *Hot*: straight after the call before it (for "
        "backward, its forward); *cold*: with the caches filled by something else. Layers that take less than 0.5 % of "
        "the step are in tables/micro.csv."
    )
    return Section("Layers alone", [Paragraph(words), *parts])


def told(report: Report) -> dict[str, str]:
    """By variant, what its layers alone sum to compared with its step."""
    pairs = tables_of(report, read(report.data))
    return {variant_id: sentences(report, variant_id, table, alone) for variant_id, (table, alone) in pairs.items()}


def tables_of(report: Report, found: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """By variant that has layers in place: a table of them in place and alone, and what was measured alone."""
    pairs = {str(v): (against_place(report, str(v), rows), rows) for v, rows in found.groupby("variant_id", sort=False)}
    return {variant_id: pair for variant_id, pair in pairs.items() if len(pair[0])}


def against_place(report: Report, variant_id: str, mine: pd.DataFrame) -> pd.DataFrame:
    """By layer its seconds in place, alone and hot, alone and cold: forward and backward together.

    NaN if a layer that has a backward in place was measured alone without it, or without its forward.
    """
    place = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer != BETWEEN)]
    place = place.set_index("layer")
    phases = mine.set_index(["layer", "cache", "phase"])["seconds"].unstack("phase")  # noqa: PD010
    phases = phases.reindex(columns=["forward", "backward"])
    has_backward = place.backward_s.reindex(phases.index.get_level_values("layer")).gt(0).to_numpy()
    whole = phases.forward + phases.backward.where(has_backward | phases.backward.notna(), 0.0)
    table = place[["type"]].assign(in_place=place.forward_s + place.backward_s.fillna(0.0))
    by_cache = whole.unstack("cache")  # noqa: PD010 - as above: two values are an error
    table = table.join(by_cache).reindex(columns=["type", "in_place", "hot", "cold"])
    return table[table.index.isin(mine.layer)]


def shown(table: pd.DataFrame) -> Table:
    """The heavy layers, and the sum of all."""
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


def sentences(report: Report, variant_id: str, table: pd.DataFrame, mine: pd.DataFrame) -> str:
    """What lies between the sum of the layers alone and the measured step."""
    step = report.steps.set_index("variant_id").loc[variant_id]
    all_layers = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer != BETWEEN)]
    all_layers = all_layers.dropna(subset="forward_s")  # a step calls the others not at all
    if missing := len(all_layers) - int(table.hot.notna().sum()):
        text = f"{missing} of {len(all_layers)} layers were not measured whole"
        return f"Alone and hot, {text}, so there is no sum of them."
    hot_s, cold_s, place_s = (float(table[name].sum(min_count=len(table))) for name in ("hot", "cold", "in_place"))
    cold = "" if math.isnan(cold_s) else f" and {seconds(cold_s)} with cold ones"
    outside = {phase: float(step[f"{phase}_s"]) for phase in OUTSIDE if step[f"{phase}_s"] > 0}
    between = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer == BETWEEN)]
    outside["code between layers"] = float(between[["forward_s", "backward_s"]].sum().sum())
    most = sorted(outside.items(), key=lambda item: -item[1])[:MOST_TOLD]
    text = ", ".join(f"{name} {seconds(value)}" for name, value in most)
    outside_s = sum(outside.values())
    rest_s = step.step_s - place_s - outside_s
    parts = [
        f"Alone, the layers sum to {seconds(hot_s)} with hot caches{cold}; the measured "
        f"step takes {seconds(step.step_s)}, {longer(step.step_s - hot_s)} than the former.",
        f"In place the layers take {seconds(place_s)}, {longer(place_s - hot_s)} than alone and hot"
        f"{where(table, place_s - hot_s)}; what is no layer takes {seconds(outside_s)} ({text}); and the plain step is "
        f"{longer(rest_s)} than the stamped one that these parts are of.",
    ]
    alone_faults = mine[mine.cache == "hot"].page_faults.sum()
    if step.page_faults > 0:
        parts.append(
            f"A step takes {count(step.page_faults)} page faults, the layers alone {count(alone_faults)}: what a layer "
            "gives back alone, it must map anew at its next call, unless the allocator keeps it."
        )
    return " ".join(parts)


def where(table: pd.DataFrame, difference_s: float) -> str:
    """The layers that add most to a difference between in place and alone, in its own direction."""
    sign = 1 if difference_s >= 0 else -1
    most = (sign * (table.in_place - table.hot)).sort_values(ascending=False).head(MOST_TOLD)
    most = most[most > 0]
    return (
        f" (most in {', '.join(f'{code(layer)}: {seconds(value)}' for layer, value in most.items())})"
        if len(most)
        else ""
    )


def longer(value_s: float) -> str:
    """Seconds as how much longer or shorter."""
    return f"{seconds(abs(value_s))} {'longer' if value_s >= 0 else 'shorter'}"
