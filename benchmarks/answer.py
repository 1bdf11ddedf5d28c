"""How long `bench run` takes to its answer, and how sure the answer is: whole runs, one after the other.

    python -m benchmarks.answer --runs 3                          # defaults of `bench run`
    python -m benchmarks.answer --runs 3 --disturb                # beside benchmarks/disturber.py
    python -m benchmarks.answer --runs 1 -- --budget 10m          # what follows -- goes to `bench run`
    python -m benchmarks.answer --runs 0                          # only prints the rows that are there
    python -m benchmarks.answer --ab --runs 20                    # false alarms of `bench ab` on identical code
    python -m benchmarks.answer --ab --plant 10 --runs 10         # one layer waits for 10 % of a step (alarms.py)

Every call adds runs to --out: their files, their output with the second of each line, and a row in answer.csv. Minutes
are by the clock on the wall:

- report: from the start of the process to its end; estimates: to the first table, which the pilot alone gives.
- start, pilot, race, measure, end: these add up to `report`. A stage lasts until the trial that follows it begins, so
  the race's trials of memory count as pilot. Trials in lockstep begin together, so their durations can't be added.
- in samples: the share of all this that plain and stamped samples took, that is the sum of value times iterations over
  the metrics wall and stamped_wall of scope step, in trials that were ok. Not in it: start-up, compiling, first steps,
  warm-up, calibration, loaders alone, whole epochs, memory, the gate and the canary.

`half-width` is that of the log of the winner's interval, compared with its baseline. `not told apart` are the others
that may be the fastest, as on the page.
"""

import argparse
import math
import signal
from datetime import datetime
from pathlib import Path

import pandas as pd

from bench.analyse import tables
from bench.analyse.best import alike
from bench.analyse.load import RunData, load
from bench.core.records import RecordError
from bench.report.answer import answer
from benchmarks import alarms
from benchmarks.calls import Call, Row, append, call, rows_of, show
from benchmarks.disturber import ROOT
from benchmarks.lockstep import timed_samples

STAGES = ("pilot", "race", "measure")


def main() -> None:
    """Take the runs, and print a table of all that are in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--disturb", action="store_true")
    parser.add_argument("--ab", action="store_true", help="measure `bench ab` instead")
    parser.add_argument("--plant", type=float, default=0.0, metavar="P", help="with --ab: percent of a step")
    parser.add_argument("--out", type=Path, default=Path("results/answer"))
    parser.add_argument("more", nargs="*", metavar="-- OPTIONS", help="of bench run, or of bench ab")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what runs beside it ends too
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.ab:
        alarms.measure(out, options.runs, options.plant, options.more, disturb=options.disturb)
        return
    for _ in range(options.runs):
        take(out, options.more, disturb=options.disturb)
    show(rows_of(out / "answer.csv"))


def take(out: Path, more: list[str], *, disturb: bool) -> None:
    """Call `bench run` once, and write its row and print its finalists."""
    number = 1 + len(rows_of(out / "answer.csv"))
    name = f"run-{number:02d}"
    arguments = ["run", "--out", str(out), "--reports", str(out / "reports"), "--run-id", name, *more]
    called = call(arguments, ROOT, out / f"{name}.txt", disturb=number if disturb else None)
    known: Row = {"run": name, "disturbed": "yes" if disturb else "no", "exit": called.code}
    try:
        data = load(out / name)
    except RecordError as error:  # the call ended before it measured anything: its output says why
        print(f"{name}: {error}", flush=True)
        append(out / "answer.csv", {**known, **dict.fromkeys(row_names(), "")})
        return
    measured = row(data, called)
    append(out / "answer.csv", {**known, **measured})
    show([{**known, **measured}])
    show(finalists(data))


def row_names() -> list[str]:
    """The columns of `row`."""
    times = ["report min", "estimates min", "start min", *(f"{stage} min" for stage in STAGES), "end min"]
    return [*times, "in samples", "rounds", "winner", "verdict", "ratio", "half-width", "not told apart"]


def row(data: RunData, called: Call) -> Row:
    """How long a run took, where its time went, and its answer; blank if it has none."""
    began = pd.to_datetime(data.trials.started_at, utc=True)
    last = data.run.state.finished_at or called.ended
    stages_s = stage_s(data.trials, last)
    start_s = (began.min() - called.began).total_seconds()
    end_s = (called.ended - last).total_seconds()
    minutes = [called.took_s, called.estimates_s, start_s, *(stages_s.get(s, 0.0) for s in STAGES), end_s]
    share = timed_samples(data.folder).seconds.sum() / called.took_s
    texts = ["" if s is None or math.isnan(s) else f"{s / 60:.2f}" for s in minutes]
    return dict(
        zip(row_names(), [*texts, f"{100 * share:.1f} %", len(data.rounds), *winner_of(data)], strict=True)
    )  # fmt: skip


def stage_s(trials: pd.DataFrame, finished_at: datetime) -> dict[str, float]:
    """Seconds by stage: each trial lasts until the next one begins, and the last until the run ends."""
    began = pd.to_datetime(trials.started_at, utc=True)
    ended = began.shift(-1).fillna(pd.Timestamp(finished_at))
    seconds = (ended - began).dt.total_seconds()
    return {str(stage): float(total) for stage, total in seconds.groupby(trials.stage).sum().items()}


def winner_of(data: RunData) -> list[str]:
    """The fastest variant of the first device and model, its verdict, ratio and half-width, and whom it may tie."""
    steps = next(iter(answer.groups(data, tables.steps(data)).values()))
    best = answer.fastest(data, steps)
    if best is None:
        return [""] * 5
    cells = steps.set_index("variant_id").loc[best]
    half = 100 * math.log(cells.ratio_hi / cells.ratio_lo) / 2
    may_be_fastest = alike(data, [str(v) for v in steps[steps.n > 0].variant_id])
    others = ", ".join(v for v in may_be_fastest if v != best)
    return [best, cells.verdict, ratio_words(cells), "" if math.isnan(half) else f"{half:.1f} %", others]


def finalists(data: RunData) -> list[Row]:
    """The verdict, ratio and rounds of each variant with rounds, compared with its baseline."""
    steps = tables.steps(data)
    return [
        {"variant": v, "verdict": cells.verdict, "times baseline": ratio_words(cells), "rounds": cells.n}
        for v, cells in steps[steps.n > 0].set_index("variant_id").iterrows()
        if not data.variants[str(v)].is_baseline
    ]


def ratio_words(cells: pd.Series) -> str:
    """A ratio with its interval; blank if it is not known."""
    if math.isnan(cells.ratio):
        return ""
    bounds = "" if math.isnan(cells.ratio_lo) else f" [{cells.ratio_lo:.3f}, {cells.ratio_hi:.3f}]"
    return f"{cells.ratio:.3f}{bounds}"


if __name__ == "__main__":
    main()
