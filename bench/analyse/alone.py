"""The section of layers alone: what `bench micro` measured beside a run, against the same layers in a step."""

import json
from pathlib import Path

import pandas as pd

from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.page import Lines, Report
from bench.analyse.words import count, markdown, number, percent, seconds
from bench.records import RecordError
from bench.traces import BETWEEN

FOLDER = "micro"
COLUMNS = ["variant_id", "layer", "phase", "cache", "seconds", "page_faults", "rounds"]
LEAST_SHOWN = 0.005
MOST_TOLD = 3
OUTSIDE = ("data", "h2d", "loss", "scaler", "optimizer", "read")


def read(data: RunData) -> pd.DataFrame:
    """What was measured alone: the last result of each variant, layer, phase and cache, a median over rounds.

    RecordError for a file that is none of pytest-benchmark's.
    """
    rows = []
    for path in sorted((data.folder / FOLDER).glob("*/*.json"), key=lambda p: p.stat().st_mtime):
        rows += of_file(path)
    found = pd.DataFrame(rows, columns=COLUMNS)
    known = found[found.variant_id.isin(data.variants.variant_id)]
    return known.drop_duplicates(["variant_id", "layer", "phase", "cache"], keep="last")


def of_file(path: Path) -> list[tuple[object, ...]]:
    """The results of a file as rows of COLUMNS."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        return [
            (
                *(result["extra_info"][name] for name in ("variant_id", "layer", "phase", "cache")),
                float(result["stats"]["median"]),
                float(result["extra_info"]["page_faults"]),
                int(result["stats"]["rounds"]),
            )
            for result in results
        ]
    except (OSError, ValueError, LookupError, TypeError) as error:
        msg = f"{path}: no results of bench micro ({type(error).__name__}: {error})"
        raise RecordError(msg) from error


def section(report: Report) -> Lines:
    """Each layer alone against the layer in place, and what the difference of the sums is made of."""
    found = read(report.data)
    lines: Lines = []
    for variant_id, mine in found.groupby("variant_id", sort=False):
        table = against_place(report, str(variant_id), mine)
        if len(table):
            lines += [f"### {label(report.data, str(variant_id))}", "", *shown(table)]
            lines += difference_lines(report, str(variant_id), table, mine)
    if not lines:
        return []
    report.table("micro", found)
    rounds = found.rounds.min()
    return [
        "## Layers alone",
        "",
        "Each layer taken out of a step and run by itself on the tensors that it had there, forward and backward "
        f"(`python -m bench micro`, medians of {rounds} rounds). *Hot*: right after its inputs were made; *cold*: with "
        "the caches filled by something else. Layers that take less than 0.5 % of the step are in tables/micro.csv.",
        "",
        *lines,
    ]


def against_place(report: Report, variant_id: str, mine: pd.DataFrame) -> pd.DataFrame:
    """By layer its seconds in place, alone and hot, alone and cold: forward and backward together."""
    alone = mine.pivot_table(index="layer", columns="cache", values="seconds", aggfunc="sum", sort=False)
    place = report.layers[report.layers.variant_id == variant_id].set_index("layer")
    table = alone.join(place[["forward_s", "backward_s", "type"]].assign(in_place=place.forward_s + place.backward_s))
    return table.reindex(columns=["type", "in_place", "hot", "cold"]).dropna(subset="in_place")


def shown(table: pd.DataFrame) -> Lines:
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
    whole = table[["in_place", "hot", "cold"]].sum(min_count=1)
    rows.append(
        {
            "layer": "all",
            "type": "",
            "in place": seconds(whole.in_place),
            "alone, hot": seconds(whole.hot),
            "alone, cold": seconds(whole.cold),
            "hot / in place": number(whole.hot / whole.in_place),
        }
    )
    return markdown(pd.DataFrame(rows))


def difference_lines(report: Report, variant_id: str, table: pd.DataFrame, mine: pd.DataFrame) -> Lines:
    """In sentences, what lies between the sum of the layers alone and the measured step."""
    step = report.steps.set_index("variant_id").loc[variant_id]
    hot_s, cold_s, place_s = (float(table[name].sum()) for name in ("hot", "cold", "in_place"))
    layers = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer == BETWEEN)]
    outside = {phase: float(step[f"{phase}_s"]) for phase in OUTSIDE if step[f"{phase}_s"] > 0}
    outside["code between layers"] = float(layers[["forward_s", "backward_s"]].sum().sum())
    missing_s, outside_s = step.step_s - hot_s, sum(outside.values())
    most = sorted(outside.items(), key=lambda item: -item[1])[:MOST_TOLD]
    more = (table.in_place - table.hot).sort_values(ascending=False).head(MOST_TOLD)
    parts = [
        f"Alone and hot, the layers sum to {seconds(hot_s)} ({seconds(cold_s)} cold), {percent(hot_s / step.step_s)} "
        f"of the measured step of {seconds(step.step_s)}. Of the {signed(missing_s)} between the two, "
        f"{signed(place_s - hot_s)} lie within the layers, which take {seconds(place_s)} in place "
        f"(most in {', '.join(f'`{layer}`: {signed(value)}' for layer, value in more.items())}); "
        f"{seconds(outside_s)} in what is no layer ({', '.join(f'{name} {seconds(s)}' for name, s in most)}); and "
        f"{signed(missing_s - outside_s - (place_s - hot_s))} between stamped steps and plain ones."
    ]
    faults, in_place_faults = mine[mine.cache == "hot"].page_faults.sum(), step.page_faults
    if in_place_faults > 0:
        parts.append(
            f"In place a step takes {count(in_place_faults)} page faults; alone the layers take {count(faults)}."
        )
    return [" ".join(parts), ""]


def signed(value: float) -> str:
    """Seconds with their sign, where they are fewer than nothing."""
    return f"-{seconds(-value)}" if value < 0 else seconds(value)
