"""The step `lockstep`: how far identical code differs if trials take turns, and if they run one after the other."""

import numpy as np
from numpy.typing import ArrayLike

from bench.analyse import load
from bench.analyse.ratios import log_steps
from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.gpu.steps import rounds
from bench.gpu.steps.times import variants

ROUNDS = 10
WAYS = {"in lockstep": "--lockstep", "one after the other": "--no-lockstep"}
LEAST = 3
"""Fewer rounds give no spread."""


def measure(task: Task, to: Recorder) -> None:
    """Take a run in each way, half of the time each, and record how far A and A' are apart."""
    baseline = variants(task)[0].id
    for way, option in WAYS.items():
        name = option.strip("-")
        budget_s = (task.limit_s - rounds.END_S) / len(WAYS)
        ended = rounds.bench_run(task, name, baseline, ROUNDS, budget_s, option)
        to.check(f"exit code of bench run, {way}", ended, Bounds(lo=0, hi=0), of_gpu=False)
        logs = log_steps(load.load(task.scratch / "results" / name), baseline)
        if len(logs) < LEAST:
            to.skip(f"{way}: spread of identical code", f"it needs {LEAST} rounds, and {len(logs)} fit the time")
        else:
            to.check(f"{way}: spread of identical code over {len(logs)} rounds", spread(logs["A"], logs["A'"]))


def spread(first: ArrayLike, second: ArrayLike) -> float:
    """The standard deviation over rounds of the log of A' over A."""
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    return float(np.std(differences, ddof=1))
