"""Histories made from a real stored run: copies whose seconds are longer by known factors."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "results" / "example"
BASE = "cpu-default-nchw-eager-b32"
FAST = "cpu-bf16-nhwc-eager-b32-kept"
KEPT = "cpu-default-nhwc-eager-b32-kept"


def copied(
    target: Path,
    day: int,
    *,
    longer: Mapping[str, float] | None = None,
    machine: float = 1.0,
    canary: bool = True,
    commit: str | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Path:
    """A copy of the stored example that began so many days later.

    The steps of each variant take `longer` times as long, and everything does on a `machine` that is slower.
    Layers and phases are left out, since a history does not read them.
    """
    shutil.copytree(EXAMPLE, target)
    with (target / "trials.csv").open() as file:
        variants = {row["trial_id"]: row["variant_id"] for row in csv.DictReader(file)}
    with (target / "samples.csv").open() as file:
        reader = csv.DictReader(file)
        columns, rows = reader.fieldnames or [], [row for row in reader if row["scope"] in ("step", "process")]
    with (target / "samples.csv").open("w") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            if row["metric"].startswith("canary") and not canary:
                continue
            if row["unit"] == "s":
                own = (longer or {}).get(variants[row["trial_id"]], 1.0) if row["metric"] == "wall" else 1.0
                row["value"] = repr(float(float(row["value"]) * own * machine))
            writer.writerow(row)
    header = json.loads((target / "run.json").read_text())
    header["started_at"] = f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}T10:00:00Z"
    header["environment"] |= {"commit": commit or f"{day:012x}"} | dict(environment or {})
    (target / "run.json").write_text(json.dumps(header))
    return target


def history_in(
    folder: Path, runs: int, step_at: int, *, by: float = 1.08, noise: float = 0.01, drift: Sequence[float] = (),
    **more: Any,  # noqa: ANN401
) -> Path:  # fmt: skip
    """A folder of runs: from run `step_at` on the fastest variant takes `by` times as long; the machine drifts."""
    rng = np.random.default_rng(0)
    for number in range(runs):
        longer = {v: float(np.exp(rng.normal(0, noise))) for v in (BASE, FAST, KEPT)}
        longer[FAST] *= by if number >= step_at else 1.0
        copied(folder / f"r{number:02d}", number, longer=longer, machine=drift[number] if drift else 1.0, **more)
    return folder
