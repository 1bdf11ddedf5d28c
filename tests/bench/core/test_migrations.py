"""Runs that were stored under an earlier schema are read as those of today."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.core.header import Counts, Flagged, Header, Learned, MemoryLimits, PilotCounts, Plan, State, read_run
from bench.core.records import SCHEMA_VERSION, RecordError
from bench.run.folder import RunFolder

BASE = "cpu-default-nchw-eager-b32"
LIMITS: MemoryLimits = {"cpu": 10_000, "cuda": None}
FOUR: dict[str, Any] = {
    "schema_version": 4, "kind": "run", "run_id": "r", "command": "python -m bench run", "seed": 0, "preset": "quick",
    "status": "complete", "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:20:00Z",
    "ended_because": "budget", "data": {"name": "images", "is_subset": False, "train_images": 60_000},
    "inputs": {"folder": None, "shape": None, "classes": 10},
    "plan": {
        "rounds": 12, "budget_s": 1200.0, "verdicts": True, "pilot_counts": {"plain": 3, "stamped": 2},
        "pilot_only": [], "step_s": {BASE: 0.5}, "trial_s": {BASE: 9.0}, "counts": {BASE: {"plain": 3}},
        "arms": [[BASE, "A"], [BASE, "A'"]],
        "flagged": [{"variant_id": BASE, "scope": "step", "layer": "", "phase": "", "flag": "SLOWER"}],
        "memory_limit_bytes": LIMITS, "tried": {BASE: [[32, 5000], [64, None]]}, "largest": {BASE: 32},
        "beyond_index": {BASE: 64}, "predicted_s": 1100.0,
    },
    "environment": {"torch": "2.14.1"}, "trees": None, "order_seed": 5, "by_nox": True,
    "changed": ["cores was 2, is 4"],
}  # fmt: skip
"""As a bench of schema 4 wrote it (results/example-in-sequence has such a file)."""
PLAN = Plan(
    rounds=12, budget_s=1200.0, verdicts=True, pilot_counts=PilotCounts(plain=3, stamped=2), pilot_only=[],
    memory_limit_bytes=LIMITS,
)  # fmt: skip
LEARNED = Learned(
    step_s={BASE: 0.5}, trial_s={BASE: 9.0}, counts={BASE: Counts(plain=3)}, tried={BASE: [(32, 5000), (64, None)]},
    largest={BASE: 32}, beyond_index={BASE: 64}, predicted_s=1100.0,
)  # fmt: skip
STATE = State(
    status="complete", arms=[(BASE, "A"), (BASE, "A'")], ended_because="budget",
    flagged=[Flagged(variant_id=BASE, scope="step", layer="", phase="", flag="SLOWER")],
    finished_at=datetime(2026, 1, 1, 0, 20, tzinfo=UTC), changed=["cores was 2, is 4"],
)  # fmt: skip


def read(folder: Path, raw: dict[str, Any]) -> Header:
    (folder / "run.json").write_text(json.dumps(raw))
    return read_run(folder)


@pytest.mark.parametrize("version", [3, 4])
def test_what_was_declared_learned_and_the_state_are_told_apart(version: int, tmp_path: Path) -> None:
    header = read(tmp_path, FOUR | {"schema_version": version})

    assert (header.plan, header.learned, header.state) == (PLAN, LEARNED, STATE)
    assert (header.schema_version, header.order, header.by_nox) == (version, 5, True)


def test_what_is_written_again_is_of_today_s_schema_and_the_same(tmp_path: Path) -> None:
    header = read(tmp_path, FOUR)
    with RunFolder(tmp_path) as opened:
        opened.write_run(header)
    again = read_run(tmp_path)

    assert json.loads((tmp_path / "run.json").read_text())["schema_version"] == SCHEMA_VERSION
    assert (again.plan, again.learned, again.state) == (PLAN, LEARNED, STATE)


def test_what_a_file_of_schema_3_lacks_is_at_its_default(tmp_path: Path) -> None:
    plan = {key: value for key, value in FOUR["plan"].items() if key in Plan.__struct_fields__}
    lacking = {key: value for key, value in FOUR.items() if key not in ("changed", "by_nox", "trees", "order_seed")}
    header = read(tmp_path, lacking | {"schema_version": 3, "plan": plan})

    assert (header.plan, header.learned) == (PLAN, Learned())
    assert (header.state.arms, header.state.flagged, header.state.changed) == ([], None, [])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"plan": None}, "plan: found nothing: Expected `object`, got `null`"),
        ({"plan": FOUR["plan"] | {"arms": [[BASE, "B"]]}}, r"state.arms\[0\]\[1\]: found 'B'"),
        ({"plan": FOUR["plan"] | {"rounds": 0}}, "plan.rounds: found 0"),
        ({"status": "done"}, "state.status: found 'done'"),
    ],
)
def test_damage_in_an_earlier_file_names_the_key(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=told):
        read(tmp_path, FOUR | changes)
