"""What the numerics gate takes of a trial: if each variant computes float64's results itself, and if a run keeps them.

    python -m benchmarks.gate_seconds --trials 5

A trial of each variant takes turns with itself, in random order: without the gate, with a gate that stores nothing, and
with one that finds the results of the first. Printed are the median seconds of each kind of trial, from the start of
its process to its end, and what the gate adds.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from bench.cli.calls import entries_of
from bench.core.exchange.probe import Probe
from bench.core.variants import Variant
from bench.plan import schedule
from bench.plan.choices import Choices
from bench.process import child
from bench.run.prepare import start
from bench.run.record import Run
from bench.run.trial import question_of
from benchmarks.lockstep import progress

KINDS = ("no gate", "each computes", "kept by the run")
LIMIT_S = 600.0


def main() -> None:
    """Take the trials in turns, and print a row a variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    variants = [Variant(), Variant(memory_format="nhwc", allocator="kept")]
    print("| variant | trials of each | no gate | each computes | kept by the run | gate adds | kept, it adds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        chosen = Choices(
            variants=tuple(variant.id for variant in variants), device="cpu", rounds=1, budget="none",
            out=Path(scratch), run_id="gate",
        )  # fmt: skip
        run = start.start(chosen, entries_of(chosen), Path(scratch) / "gate", progress())
        for variant in variants:
            print(row(variant, of_kinds(run, variant, options.trials, random.Random(options.seed))))  # noqa: S311


def of_kinds(run: Run, variant: Variant, trials: int, chance: random.Random) -> dict[str, list[float]]:
    """The seconds of each trial by its kind; a first trial, which does not count, fills what the run keeps."""
    took_s(run, variant, KINDS[2])
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(trials):
        for kind in chance.sample(KINDS, len(KINDS)):
            seconds[kind].append(took_s(run, variant, kind))
    return seconds


def took_s(run: Run, variant: Variant, kind: str) -> float:
    """The seconds of one trial, from the start of its process to its end."""
    gate = () if kind == "no gate" else (Probe.NUMERICS,)
    arm = schedule.Arm(name="V", variant=variant)
    trial = schedule.Planned(round=0, order=0, arm=arm, stage="pilot", probes=(Probe.STEPS, *gate))
    question = question_of(run, trial, None, LIMIT_S)
    references = question.request.references if kind == "kept by the run" else None
    began = time.monotonic()
    reply = child.ask(replace(question.request, references=references), question.variables, LIMIT_S, question.command)
    if not reply.ok:
        raise RuntimeError(reply.reason)
    return time.monotonic() - began


def row(variant: Variant, seconds: dict[str, list[float]]) -> str:
    """The medians of a variant."""
    none, each, kept = (statistics.median(seconds[kind]) for kind in KINDS)
    cells = (f"{value:.1f} s" for value in (none, each, kept, each - none, kept - none))
    return f"| {variant.id} | {len(seconds[KINDS[0]])} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
