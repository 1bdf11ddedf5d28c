"""The section on the race: who took part, how each stood, and who got the rounds that count."""

import numpy as np
import pandas as pd

from bench.analyse.labels import label
from bench.analyse.load import BY_FASTEST, RunData
from bench.analyse.race import standing
from bench.plan.race import is_candidate
from bench.report.document import Fold, Paragraph, Section, Table
from bench.report.page import Report
from bench.report.words import count_of, number

WORDS = (
    "The race leaves a few variants for the rounds: after each of its rounds, the slower half is out. *Speedup* "
    "is the median over its rounds. {counts}That is an estimate from few trials: it gives no verdict. The variants "
    "that are left were measured again in fresh rounds, which alone count."
)
FASTEST_WORDS = "In each round the fastest sample of a trial counts, since other work on the machine affects it least. "


def section(report: Report) -> Section | None:
    """A row a candidate, the fastest first; nothing if there was no race."""
    left = report.data.run.state.candidates
    if left is None:
        return None
    frame = table(report.data)
    rows = [
        {
            "candidate": label(report.data, row["variant_id"]),
            "speedup": number(row["race_ratio"]),
            "rounds of the race": str(row["race_rounds"]),
            "then": "in the rounds" if row["finalist"] else "out",
        }
        for row in frame.to_dict("records")
    ]
    words = WORDS.format(counts=FASTEST_WORDS if report.data.run.schema_version >= BY_FASTEST else "")
    title = f"The race: {count_of(len(rows), 'variant')}, {len(left)} left"
    return Section("The race", [Fold(title, [Table.of(rows), Paragraph(words)])])


def write_table(report: Report) -> None:
    """Write race.csv, if there was a race."""
    if report.data.run.state.candidates is not None:
        report.table("race", table(report.data))


def table(data: RunData) -> pd.DataFrame:
    """race.csv: a row a candidate that has a speed: its ratio to the baselines, its rounds, and if it was left."""
    logs = standing(data)
    logs = logs[[is_candidate(data.variants[variant_id]) for variant_id in logs.index]]
    rounds = data.raced.groupby("variant_id")["round"].nunique()
    return pd.DataFrame(
        {
            "variant_id": logs.index,
            "race_ratio": np.exp(-logs.to_numpy()),
            "race_rounds": [int(rounds.get(variant_id, 0)) for variant_id in logs.index],
            "finalist": [variant_id in (data.run.state.candidates or ()) for variant_id in logs.index],
        }
    )
