"""Rounds in lockstep beside rounds in sequence, on this machine: how far equal code and a variant scatter.

    python -m benchmarks.lockstep --rounds 10
    python -m benchmarks.lockstep --rounds 10 --disturb --csv values.csv
    python -m benchmarks.lockstep --rounds 10 --batch 8 --out results/lockstep-b8
    python -m benchmarks.lockstep --model torchvision.models:resnet18 --input 3x64x64

A round has three fresh processes: the baseline as A and A', and V (nhwc and the kept allocator). Both ways take rounds
of one run, by the harness's own code and with the same counts of steps. They take turns, in random order. If the
processes do not fit in memory at once, lockstep falls back to sequence, and the table says how many rounds that gives.

Columns: the standard deviation over rounds of log(A / A') and of log(V / mean(A, A')), where a trial's value is the
median of its plain samples; the median of mean(A, A') / V; the median seconds of a round; and which share of these
seconds the processes spent in plain and stamped samples. The rest is start-up, first steps, warm-up and the canary.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec.structs import replace
from rich.console import Console

from bench.analyse.frames import read_frame
from bench.analyse.load import cell, load
from bench.cli.calls import entries_of
from bench.core.header import Plan
from bench.core.progress import RunProgress
from bench.core.records import SAMPLES
from bench.core.variants import Variant
from bench.plan import schedule
from bench.plan.choices import Choices
from bench.run import pilot, rounds, session
from bench.run.prepare import start
from bench.run.record import Run, now
from benchmarks.disturber import disturbed

CONTROLS, ARMS = ["A", "A'"], 3
KINDS = {"sequence": [], "lockstep": ["cpu"]}
"""The kinds of device whose trials take turns, by way."""
COLUMNS = ("way", "rounds", "sd log(A / A')", "sd log(V / mean)", "times as fast", "seconds a round", "in samples")


def main() -> None:
    """Take the rounds and print a row a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="of each way")
    parser.add_argument("--model", default="nin")
    parser.add_argument("--input", help="CxHxW: random images of this shape instead of Fashion-MNIST")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0, help="of the order of everything, and of the disturber")
    parser.add_argument("--disturb", action="store_true", help="run benchmarks/disturber.py beside it")
    parser.add_argument("--out", type=Path, help="a new folder for the run; if not given, its files are not kept")
    parser.add_argument("--csv", type=Path, help="a file for every sample with its trial and round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch) / "lockstep"
        folder.parent.mkdir(parents=True, exist_ok=True)
        log = Path(scratch) / "disturber"
        with disturbed(options.seed, log if options.disturb else None):
            run = start.start(chosen := choices(options, folder), entries_of(chosen), folder, progress())
            seconds = take(run, options.rounds, options.seed)
        values, samples = by_round(folder, seconds)
        if options.disturb:
            print(f"disturber: {log.read_text().splitlines()[-1]}")
    print("\n".join(table(values)))
    if options.csv:
        samples.to_csv(options.csv, index=False)


def progress() -> RunProgress:
    """Lines of progress on stderr, so that stdout has the table alone."""
    return RunProgress(Console(stderr=True))


def choices(options: argparse.Namespace, folder: Path) -> Choices:
    """The options of a `bench run` of the baseline and the variant, without a race or a budget."""
    base = Variant(batch_size=options.batch)
    variant = Variant(batch_size=options.batch, memory_format="nhwc", allocator="kept")
    return Choices(
        variants=(base.id, variant.id), model=options.model, shape=options.input, seed=options.seed, device="cpu",
        rounds=2 * options.rounds, budget="none", out=folder.parent, run_id=folder.name,
    )  # fmt: skip


def take(run: Run, count: int, seed: int) -> dict[int, float]:
    """Take a pilot of steps alone, then so many rounds of each way. Returns the seconds of each round by its number."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    with session.under_way(run):
        pilot.take_due(run, list(pilots(run)))
        arms = rounds.arms_of(run)
        run.save(rounds.evened(run.learned, [arm.variant for arm in arms]))
        run.save(replace(run.state, arms=[(arm.variant.id, arm.name) for arm in arms]))
        ways = [way for _ in range(count) for way in chance.sample(list(KINDS), len(KINDS))]
        seconds = {number: take_round(run, arms, number, way) for number, way in enumerate(ways, start=1)}
        session.set_status(run, "complete", "rounds", now())
    return seconds


def pilots(run: Run) -> Iterator[schedule.Planned]:
    """The trials of steps of the harness's pilot."""
    for trial in schedule.pilot(run.entries):
        if schedule.times_steps(trial.probes):
            yield schedule.Planned(
                round=0, order=trial.order, arm=trial.arm, stage=trial.stage, probes=trial.arm.probes
            )


def take_round(run: Run, arms: list[schedule.Arm], number: int, way: str) -> float:
    """Take one round one way, and return its seconds."""
    run.header = replace(run.header, plan=in_way(run.plan, way))
    planned = schedule.round_trials(arms, run.header.order, number)
    run.progress.say(f"round {number}: {way}")
    began = time.monotonic()
    rounds.take_round(run, planned, sum(run.trial_s(arm.variant) for arm in arms), 1)
    return time.monotonic() - began


def in_way(plan: Plan, way: str) -> Plan:
    """The plan with the trials of a round in that way."""
    return replace(plan, lockstep=KINDS[way])


def by_round(folder: Path, seconds: dict[int, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a round with its way, its seconds, the seconds in samples and those of a step of each arm; and all samples.

    An arm whose trial died has no value.
    """
    data = load(folder)
    trials = data.trials[data.trials.stage == "measure"]
    walls = cell(data.values, "wall")
    values = walls[walls.stage == "measure"].pivot(index="round", columns="arm", values="value")  # noqa: PD010
    values = values.reindex(index=list(seconds), columns=[*CONTROLS, "V"])
    together = trials.groupby("round").in_lockstep.min().reindex(values.index) == ARMS
    values["way"] = np.where(together, "lockstep", "sequence")
    values["round_s"] = pd.Series(seconds)
    samples = timed_samples(folder).merge(trials[["trial_id", "round", "arm", "in_lockstep", "started_at"]])
    values["samples_s"] = samples.groupby("round").seconds.sum()
    return values, samples.join(values[["way", "round_s"]], on="round")


def timed_samples(folder: Path) -> pd.DataFrame:
    """The plain and the stamped samples of a run, with the seconds that all steps of each took together."""
    samples, _ = read_frame(folder, SAMPLES)
    samples = samples[(samples.scope == "step") & samples.metric.isin(("wall", "stamped_wall"))]
    return samples.assign(trial_id=samples.trial_id.astype(str), seconds=samples["value"] * samples.iterations)


def table(values: pd.DataFrame) -> list[str]:
    """The lines of a Markdown table with a row a way."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(row(str(way), frame) for way, frame in values.groupby("way"))]
    return [f"| {' | '.join(cells)} |" for cells in rows]


def row(way: str, values: pd.DataFrame) -> list[str]:
    """The cells of a way, over the rounds that have every arm."""
    whole = values.dropna()
    first, second = (whole[arm] for arm in CONTROLS)
    mean = (first + second) / 2
    return [
        way,
        str(len(whole)),
        f"{np.log(first / second).std():.4f}",
        f"{np.log(whole['V'] / mean).std():.4f}",
        f"{(mean / whole['V']).median():.3f}",
        f"{whole.round_s.median():.1f}",
        f"{100 * whole.samples_s.sum() / whole.round_s.sum():.1f} %",
    ]


if __name__ == "__main__":
    main()
