"""False alarms and hits of six ways to compare two versions of one workload: identical code, and +5, +10, +15 %.

    python compare_tools.py --cycles 20 --out verdicts.csv

Each cycle measures every tool once, in random order, and the other tools as their users run them:

- our protocol: a gate of 12 rounds of A, A' and the four versions, then 20 fresh rounds for the flagged versions. Once
  with the processes of a round in lockstep, as is the default, and once with one after the other;
- pytest-benchmark: a saved run, then `--benchmark-compare-fail=median:5%`;
- pyperf: its defaults (20 processes of 3 values), then `compare_to`;
- whole processes, as hyperfine times them: 3 runs to warm up and 10 that count, each of 30 values, and the t-test of
  Welch at 5 %, which hyperfine has as a script;
- a pooled t-test at 5 %: 30 values of one process against 30 of another.

A row of the CSV is one comparison. `nox -s tools -- --cycles 20` installs what it needs, measures, and prints the
table of docs/verdicts.md. With `--cycles 0` it only prints the table of the CSV.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from layer import BASE_CALLS
from scipy import stats as scipy_stats
from turns import values_s

from bench.analyse.stats import LEVEL, as_ratio, holm, p_above, shift_interval
from bench.analyse.verdicts import DELTA_CPU, FASTER, SLOWER, verdict
from bench.core.records import ArmName
from bench.core.variants import Variant
from bench.plan.schedule import CONFIRM_ROUNDS, DEFAULT_ROUNDS, Arm, round_trials

HERE = Path(__file__).parent
EFFECTS = {"0 %": 20, "+5 %": 21, "+10 %": 22, "+15 %": 23}
"""The calls of each changed version; the base has 20."""
TRIAL_VALUES = 3
POOLED_VALUES = 30
WARM_RUNS, RUNS = 3, 10
"""Processes of hyperfine: its default counts ten, and its manual advises some that warm up."""
GATE, CONFIRMED = "gate", "confirmed"
OURS = {"nin-bench": True, "nin-bench, in sequence": False}
"""The names of our protocol, and whether the processes of a round are in lockstep."""

Row = tuple[str, str, str]
"""Tool, effect, and what the tool said: slower, faster, or empty for neither."""


def run(calls: int, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder of the workload, for the version with that many calls."""
    variables = os.environ | {"CALLS": str(calls)}
    return subprocess.run(
        [sys.executable, *command], cwd=HERE, env=variables, check=check, capture_output=True, text=True
    )


def seconds(calls: int, values: int) -> list[float]:
    """The seconds of a version: several values of one fresh process."""
    return list(map(float, json.loads(run(calls, "layer.py", str(values)).stdout)))


def rounds(arms: dict[str, int], count: int, seed: int, *, lockstep: bool) -> dict[str, list[float]]:
    """The log of each arm's median, by round; arms come in random order, each in a fresh process."""
    named = [Arm(name=cast("ArmName", name), variant=Variant()) for name in arms]
    logs: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(count):
        names = [trial.arm.name for trial in round_trials(named, seed, number)]
        if lockstep:
            trials = values_s([arms[name] for name in names], TRIAL_VALUES, random.Random(f"{seed}.{number}"))  # noqa: S311 - no secret
        else:
            trials = [seconds(arms[name], TRIAL_VALUES) for name in names]
        for name, trial in zip(names, trials, strict=True):
            logs[name].append(float(np.log(np.median(trial))))
    return logs


def ours(tool: str, seed: int) -> list[Row]:
    """The gate's verdicts, and those that fresh rounds confirm."""
    controls, lockstep = {"A": BASE_CALLS, "A'": BASE_CALLS}, OURS[tool]
    logs = rounds(controls | EFFECTS, DEFAULT_ROUNDS, seed, lockstep=lockstep)
    base = np.column_stack([logs[name] for name in controls])
    words = {
        effect: verdict(as_ratio(shift_interval(logs[effect], base)), DEFAULT_ROUNDS, DELTA_CPU) for effect in EFFECTS
    }
    flagged = {effect: word for effect, word in words.items() if word in (FASTER, SLOWER)}
    confirmed: dict[str, str] = {}
    if flagged:
        arms = controls | {effect: EFFECTS[effect] for effect in flagged}
        logs = rounds(arms, CONFIRM_ROUNDS, seed + 1, lockstep=lockstep)
        base = np.column_stack([logs[name] for name in controls])
        signs = {effect: 1 if word == SLOWER else -1 for effect, word in flagged.items()}
        p = [p_above(s * np.array(logs[effect]), s * base, np.log1p(DELTA_CPU)) for effect, s in signs.items()]
        confirmed = {e: flagged[e] for e, adjusted in zip(flagged, holm(p), strict=True) if adjusted <= 1 - LEVEL}
    return [
        (f"{tool}, {stage}", effect, said.get(effect, "").lower())
        for stage, said in ((GATE, flagged), (CONFIRMED, confirmed))
        for effect in EFFECTS
    ]


def changed(rng: random.Random) -> list[str]:
    """The effects in random order, so that none is always measured farthest from the base."""
    return rng.sample(list(EFFECTS), len(EFFECTS))


def pytest_benchmark(rng: random.Random) -> list[Row]:
    """A saved run, then compare-fail."""
    with tempfile.TemporaryDirectory() as storage:
        test = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "with_pytest_benchmark.py")
        stored = f"--benchmark-storage=file://{storage}"
        run(BASE_CALLS, *test, stored, "--benchmark-save=base")
        compare = (*test, stored, "--benchmark-compare=0001", "--benchmark-compare-fail=median:5%")
        rows = []
        for effect in changed(rng):
            done = run(EFFECTS[effect], *compare, check=False)
            failed = "PerformanceRegression" in done.stdout + done.stderr
            if done.returncode != failed:
                raise RuntimeError(done.stdout + done.stderr)
            rows.append(("pytest-benchmark", effect, "slower" if failed else ""))
        return rows


def pyperf(rng: random.Random) -> list[Row]:
    """Its defaults, then compare_to."""
    with tempfile.TemporaryDirectory() as folder:
        base, head = f"{folder}/base.json", f"{folder}/head.json"
        inherit = "--inherit-environ=CALLS"
        run(BASE_CALLS, "with_pyperf.py", inherit, "-o", base)
        rows = []
        for effect in changed(rng):
            run(EFFECTS[effect], "with_pyperf.py", inherit, "-o", head)
            said = run(0, "-m", "pyperf", "compare_to", base, head).stdout
            Path(head).unlink()
            words = [word for word in ("slower", "faster", "not significant") if word in said]
            if len(words) != 1:
                raise RuntimeError(said)
            rows.append(("pyperf", effect, "" if words == ["not significant"] else words[0]))
        return rows


def pooled_t(rng: random.Random) -> list[Row]:
    """Student's t of the values of one process and those of another."""
    base = seconds(BASE_CALLS, POOLED_VALUES)
    rows = []
    for effect in changed(rng):
        head = seconds(EFFECTS[effect], POOLED_VALUES)
        significant = scipy_stats.ttest_ind(base, head).pvalue < 0.05
        slower = np.mean(head) > np.mean(base)
        rows.append(("pooled t-test", effect, ("slower" if slower else "faster") if significant else ""))
    return rows


def whole_processes(rng: random.Random) -> list[Row]:
    """Welch's t of the wall times of whole processes."""
    base = processes_s(BASE_CALLS)
    rows = []
    for effect in changed(rng):
        head = processes_s(EFFECTS[effect])
        significant = scipy_stats.ttest_ind(base, head, equal_var=False).pvalue < 0.05
        slower = np.mean(head) > np.mean(base)
        rows.append(("whole processes", effect, ("slower" if slower else "faster") if significant else ""))
    return rows


def processes_s(calls: int) -> list[float]:
    """The wall time in seconds of each process that counts."""
    took_s = []
    for _ in range(WARM_RUNS + RUNS):
        start = time.perf_counter()
        seconds(calls, POOLED_VALUES)
        took_s.append(time.perf_counter() - start)
    return took_s[WARM_RUNS:]


def table(rows: Sequence[dict[str, str]]) -> list[str]:
    """False alarms with their exact 95 % interval (Clopper and Pearson), hits, and the seconds of a comparison."""
    lines = ["| tool | identical code: false alarms | +5 %: hits | +10 % | +15 % | seconds a comparison |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for tool in sorted({row["tool"] for row in rows}):
        cells = []
        for effect in EFFECTS:
            said = [row["said"] for row in rows if (row["tool"], row["effect"]) == (tool, effect)]
            slower, faster = said.count("slower"), said.count("faster")
            if effect == "0 %":
                bounds = scipy_stats.binomtest(slower + faster, len(said)).proportion_ci()
                cells.append(f"{slower + faster} of {len(said)} [{100 * bounds.low:.0f} %, {100 * bounds.high:.0f} %]")
            else:
                wrong = f", {faster} faster" if faster else ""
                cells.append(f"{slower} of {len(said)}{wrong}")
        lines.append(f"| {tool} | {' | '.join(cells)} | {comparison_s([r for r in rows if r['tool'] == tool], rows)} |")
    return lines


def comparison_s(of_tool: Sequence[dict[str, str]], rows: Sequence[dict[str, str]]) -> str:
    """The seconds of one comparison by itself, a median over cycles; in a cycle, one base serves four comparisons.

    By itself, another tool runs twice, and in a cycle five times. Our gate has three arms, and the fresh rounds too.
    """
    cycles = {row["cycle"]: float(row["seconds"]) for row in of_tool}
    tool, _, stage = of_tool[0]["tool"].rpartition(", ")
    if tool not in OURS:
        return f"{np.median([2 / 5 * s for s in cycles.values()]):.0f}"
    gate, confirm = DEFAULT_ROUNDS * 3, CONFIRM_ROUNDS * 3
    trial_s = []
    for cycle, took_s in cycles.items():
        flagged = sum(bool(r["said"]) for r in rows if (r["cycle"], r["tool"]) == (cycle, f"{tool}, {GATE}"))
        trials = DEFAULT_ROUNDS * (2 + len(EFFECTS)) + (CONFIRM_ROUNDS * (2 + flagged) if flagged else 0)
        trial_s.append(took_s / trials)
    one_s = float(np.median(trial_s))
    if stage == GATE:
        return f"{gate * one_s:.0f}"
    return f"{gate * one_s:.0f}, or {(gate + confirm) * one_s:.0f} if flagged"


def main() -> None:
    """Measure the cycles, write each comparison to the CSV, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--out", type=Path, default=HERE / "verdicts.csv")
    options = parser.parse_args()
    if options.cycles:
        measure(options.cycles, options.out)
    with options.out.open(newline="") as file:
        print("\n".join(table(list(csv.DictReader(file)))))


def measure(cycles: int, out: Path) -> None:
    """Write a row a comparison as soon as it is made."""
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cycle", "tool", "effect", "said", "seconds"])
        for cycle in range(cycles):
            rng = random.Random(cycle)  # noqa: S311 - no secret
            tools: list[Callable[[], list[Row]]] = [
                partial(tool, rng) for tool in (pytest_benchmark, pyperf, pooled_t, whole_processes)
            ]
            tools += [partial(ours, tool, 1000 * cycle) for tool in OURS]
            for tool in rng.sample(tools, len(tools)):
                start = time.perf_counter()
                rows = tool()
                took_s = round(time.perf_counter() - start, 1)
                writer.writerows([cycle, *row, took_s] for row in rows)
                file.flush()
                print(cycle, took_s, *(f"{row[1]}:{row[2] or '-'}" for row in rows), flush=True)


if __name__ == "__main__":
    main()
