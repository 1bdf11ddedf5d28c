"""The step `rounds`: a run with verdicts, its page, and identical code as control."""

import math
import subprocess
from pathlib import Path
from typing import Any

from bench.analyse import load, tables
from bench.gpu.checks import Bounds, number
from bench.gpu.recorder import Recorder, Task
from bench.gpu.steps.times import WHOLE, variants
from bench.process.python import python

ROUNDS = 7
"""The fewest that give identical code its interval; a verdict needs six."""
RUN_ID = "gpu"
END_S = 10.0
"""The part of the step's time that is kept for starting the run, and for reading its files."""


def measure(task: Task, to: Recorder) -> None:
    """Take the run within the step's time, and check what its files say."""
    ended = bench_run(task, RUN_ID, variants(task)[1].id, ROUNDS, task.limit_s - END_S)
    to.check("exit code of bench run", ended, Bounds(lo=0, hi=0), of_gpu=False)
    check_run(task.scratch / "results" / RUN_ID, to)
    pages = (task.scratch / "reports" / RUN_ID / "report.md").is_file()
    to.check("pages of the run", pages, Bounds(lo=1, hi=1), of_gpu=False)


def bench_run(task: Task, run_id: str, variant_id: str, rounds: int, budget_s: float, *more: str) -> int:
    """Take a run of the baseline twice and of a variant, in a rehearsal of one round; its exit code."""
    return subprocess.run([*command(task, run_id, variant_id, rounds, budget_s), *more], check=False).returncode


def command(task: Task, run_id: str, variant_id: str, rounds: int, budget_s: float) -> list[str]:
    """The call of bench run. A budget of less than ten minutes makes its pilot a light one."""
    asked = ["--variant", variant_id, "--rounds", str(1 if task.rehearse else rounds)]
    budget = ["--budget", f"{math.floor(max(1.0, budget_s))}s"]
    places = ["--out", str(task.scratch / "results"), "--reports", str(task.scratch / "reports"), "--run-id", run_id]
    return [*python("bench"), "run", *asked, *budget, *places]


def check_run(folder: Path, to: Recorder) -> None:
    """Check a run: its trials are ok, its steps add up, identical code comes out alike. Record its verdicts."""
    data = load.load(folder)
    bad = data.trials[data.trials.status != "ok"]
    why = "; ".join(f"{row.variant_id}: {row.status}: {row.reason}" for row in bad.itertuples())
    to.check("trials that were not ok", len(bad), Bounds(hi=0), of_gpu=False, reason=why)
    steps = tables.steps(data)
    for row in steps.itertuples():
        if not math.isnan(row.closure):
            to.check(f"{row.variant_id}: sum of parts over plain step", row.closure, WHOLE)
        to.fact(f"{row.variant_id}: {row.unit}/s", number(row.items_per_s))
        if row.verdict:
            to.fact(f"{row.variant_id}: verdict, times the baseline", verdict_words(row))
    for control in tables.controls(data):
        name = f"{control.variant_id}: identical code, first over second"
        if control.ratio.known:
            to.check(f"{name}, lower end", control.ratio.lo, Bounds(hi=1))
            to.check(f"{name}, upper end", control.ratio.hi, Bounds(lo=1))
        else:
            to.skip(name, f"an interval needs {ROUNDS} rounds, and {control.rounds} fit the time")


def verdict_words(row: Any) -> str:  # noqa: ANN401 - a row of the steps table
    """`FASTER 1.4 [1.38, 1.42]`."""
    bounds = f" [{number(row.ratio_lo)}, {number(row.ratio_hi)}]" if not math.isnan(row.ratio_lo) else ""
    return f"{row.verdict} {number(row.ratio)}{bounds}"
