"""The section on the race: who took part, how each stood, and who got the rounds that count."""

import numpy as np
import pandas as pd

from bench.analyse.labels import label, named
from bench.analyse.load import BY_FASTEST, RunData
from bench.analyse.race import by_round, standing
from bench.plan.race import is_candidate
from bench.report.document import Block, Fold, Paragraph, Section, Table, paragraphs
from bench.report.page import Report
from bench.report.words import count_of, number

WORDS = (
    "After each round of the race the slower half is out, but {finalists} are left in any case. A cell is the speedup "
    "in that round{counts}. Compare cells of one column: rounds differ. These are estimates from few trials, so which "
    "of two close ones stays is partly chance, and there is no verdict. The variants that are left were measured again "
    "in fresh rounds, which alone count."
)
FASTEST_WORDS = ", by the fastest sample of each trial, since other work on the machine affects it least"


def section(report: Report) -> Section | None:
    """A row a candidate, those that were left first; nothing if there was no race."""
    data = report.data
    left = data.run.state.candidates
    if left is None:
        return None
    frame = table(data)
    rounds = by_round(data)
    rows = [candidate_cells(data, row, rounds) for row in frame.to_dict("records")]
    words = WORDS.format(
        finalists=data.run.plan.finalists, counts=FASTEST_WORDS if data.run.schema_version >= BY_FASTEST else ""
    )
    title = f"The race: {count_of(len(rows), 'variant')}, {len(left)} left"
    blocks: list[Block] = [Table.of(rows), Paragraph(words), *paragraphs(apart_words(data))]
    return Section("The race", [Fold(title, blocks)])


def candidate_cells(data: RunData, row: dict[str, object], rounds: pd.DataFrame) -> dict[str, str]:
    """A candidate's row as the page shows it: its speedup in each of the `rounds`, and when it left."""
    variant_id = str(row["variant_id"])
    ratios = rounds.loc[variant_id] if variant_id in rounds.index else pd.Series(dtype=float)
    cells = {f"round {place}": number(np.exp(-ratios.get(n, np.nan))) for place, n in enumerate(rounds.columns, 1)}
    when = f"round {row['race_rounds']}" if row["race_rounds"] else "the pilot"
    then = "in the rounds that count" if row["finalist"] else f"out after {when}"
    return {"candidate": label(data, variant_id), **cells, "then": then}


def apart_words(data: RunData) -> list[str]:
    """Which variants took no part, and why."""
    apart = [v for v in data.runnable if v in data.run.plan.pilot_only]
    if not apart:
        return []
    names = ", ".join(named(data, v) for v in apart)
    return [f"Not in the race: the run measures {names} in the pilot alone, to see what bounds an epoch."]


def write_table(report: Report) -> None:
    """Write race.csv, if there was a race."""
    if report.data.run.state.candidates is not None:
        report.table("race", table(report.data))


def table(data: RunData) -> pd.DataFrame:
    """race.csv: a row a candidate that has a speed: its ratio to the baselines, its rounds, and if it was left.

    Those that were left come first, then those that left last; the faster first.
    """
    logs = standing(data)
    logs = logs[[is_candidate(data.variants[variant_id]) for variant_id in logs.index]]
    rounds = data.raced.groupby("variant_id")["round"].nunique()
    rows = pd.DataFrame(
        {
            "variant_id": logs.index,
            "race_ratio": np.exp(-logs.to_numpy()),
            "race_rounds": [int(rounds.get(variant_id, 0)) for variant_id in logs.index],
            "finalist": [variant_id in (data.run.state.candidates or ()) for variant_id in logs.index],
        }
    )
    return rows.sort_values(["finalist", "race_rounds", "race_ratio"], ascending=False, kind="stable")
