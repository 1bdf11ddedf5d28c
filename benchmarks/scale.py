"""Time and memory of `bench report` on a generated run with a million samples, and of `bench compare` on two.

20 variants, 12 rounds, 60 layers: prints the seconds and the peak memory of the whole process.
"""

import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.core.facts import Environment
from bench.core.header import Data, Header, Inputs, Learned, PilotCounts, Plan, State
from bench.core.records import RUN_FILE, ArmName
from bench.core.variants import Variant
from bench.plan.matrix import Entry
from bench.run.folder import RunFolder, variant_rows

ROUNDS, LAYERS = 12, 60
VARIANTS = [
    Variant(memory_format=memory_format, allocator=allocator, threads=threads)
    for memory_format in ("nchw", "nhwc")
    for allocator in ("default", "kept")
    for threads in (None, 1, 2, 3, 4)
]


def main() -> None:
    """Generate runs, report and compare them in processes of their own, and print what that took."""
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        count = generate(results / "generated", samples=1_000_000)
        timed(f"report of {count:,} samples", "report", f"{results}/generated", "--out", f"{scratch}/reports")
        runs = [results / "one", results / "two"]
        count = sum(generate(run, samples=100_000) for run in runs)
        timed(f"compare of two runs, {count:,} samples", "compare", *map(str, runs), "--out", f"{scratch}/reports")


def timed(title: str, *command: str) -> None:
    """Print the seconds of a call of bench, and the most memory that any call has taken so far."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench", *command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{title}: {seconds:.1f} s, peak {peak_mib:.0f} MiB")


def generate(folder: Path, samples: int, of: Sequence[Variant] = VARIANTS, layers: int = LAYERS) -> int:
    """Write a run of about `samples` samples, the first variant a baseline, and return their exact number."""
    arms: list[tuple[Variant, ArmName]] = [(v, "A" if v.is_baseline else "V") for v in of]
    arms.append((of[0], "A'"))
    per_trial = samples // (len(arms) * (ROUNDS + 1))
    cells = [("layer", f"block.{i}", p) for i in range(layers) for p in ("forward", "backward")]
    cells += [("step", "", ""), ("phase", "", "forward"), ("phase", "", "backward")]
    repeats = max(1, -(-per_trial // len(cells)))
    rng, count, trials = np.random.default_rng(0), 0, itertools.count(1)
    entries = [Entry(variant=v) for v in of]
    variants = variant_rows(entries, {v.id: "" for v in of})
    with RunFolder.create(folder, header(folder.name, arms), variants) as opened:
        for number in range(ROUNDS + 1):
            for variant, arm in arms:
                trial_id = f"t{next(trials):05d}"
                values = rng.lognormal(0, 0.02, (repeats, len(cells)))
                rows = [
                    {
                        "trial_id": trial_id, "probe": "steps", "scope": scope, "layer": layer, "phase": phase,
                        "metric": "wall", "unit": "s", "iterations": 1, "index": index, "value": value,
                    }
                    for index, row in enumerate(values)
                    for (scope, layer, phase), value in zip(cells, row, strict=True)
                ]  # fmt: skip
                count += len(rows)
                trial = {
                    "trial_id": trial_id, "round": number, "order": 0, "arm": arm, "variant_id": variant.id,
                    "stage": "measure" if number else "pilot", "probes": "steps+layers", "status": "ok",
                }  # fmt: skip
                opened.append_trial(trial, rows, layer_rows(trial, layers))
    return count


def layer_rows(trial: dict[str, object], layers: int) -> list[dict[str, object]]:
    """The facts of the layers, which only the pilot's trials report."""
    if trial["round"]:
        return []
    return [
        {
            "trial_id": trial["trial_id"], "variant_id": trial["variant_id"], "layer": f"block.{i}",
            "block": "block", "type": "Conv2d", "output_shape": "32x8x8x8", "parameters": 10, "calls": 1,
        }
        for i in range(layers)
    ]  # fmt: skip


def header(name: str, arms: list[tuple[Variant, ArmName]]) -> Header:
    """A run.json as complete as a report needs."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return Header(
        kind="run", run_id=name, command=RUN_FILE, seed=0, preset=None,
        started_at=began,
        data=Data(name="generated numbers", is_subset=False, train_images=60_000),
        inputs=Inputs(folder=None, shape=None, classes=10),
        plan=Plan(
            rounds=ROUNDS, budget_s=None, verdicts=True, pilot_counts=PilotCounts(plain=1, stamped=1), pilot_only=[],
            memory_limit_bytes={},
        ),
        learned=Learned(),
        state=State(
            status="complete", ended_because="rounds", finished_at=began + timedelta(hours=1),
            arms=[(variant.id, arm) for variant, arm in arms],
        ),
        environment=Environment(cpu="none", cores=1, page_bytes=4096),
    )  # fmt: skip


if __name__ == "__main__":
    main()
