"""The child as the parent meets it: asked and answered in files, whatever goes wrong."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.variants import Variant, as_row
from bench.measure import worker
from bench.process import child


def request(probes: str = "steps+layers", shape: list[int] | None = None, **axes: object) -> dict[str, Any]:
    variant = Variant(**{"model": "tests_models:twice", "batch_size": 4} | axes)  # type: ignore[arg-type]
    return {
        "task": "trial", "variant": as_row(variant), "probes": probes, "counts": {}, "seed": 0,
        "pilot_counts": {"plain": 2, "stamped": 1}, "memory_limit_bytes": None,
        "inputs": {"folder": None, "shape": shape or [1, 28, 28], "classes": 10},
    }  # fmt: skip


def test_a_trial_in_a_process_of_its_own() -> None:
    variables = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parent)}
    reply = child.ask(request(), variables, limit_s=120)
    metrics = {(s["scope"], s["metric"]) for s in reply["samples"]}

    assert reply["status"] == "ok", reply["reason"]
    assert {("process", "first_step"), ("step", "wall"), ("step", "stamped_wall"), ("phase", "wall"),
            ("layer", "wall"), ("step", "page_faults"), ("process", "stamp_cost")} <= metrics  # fmt: skip
    assert [layer["layer"] for layer in reply["layers"]] == ["relu", "square", "head"]
    assert reply["counts"]["plain"] == 2
    assert reply["state"]["load_1min"] >= 0
    parts = sum(s["value"] for s in reply["samples"] if s["scope"] == "layer" and s["index"] == 0)
    whole = next(s["value"] for s in reply["samples"] if s["metric"] == "stamped_wall")
    assert 0.1 * whole < parts < whole


def test_memory_is_a_trial_of_its_own() -> None:
    reply = worker.trial(request("memory"))

    assert reply["status"] == "ok"
    assert {"memory"} == {s["probe"] for s in reply["samples"]}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "oom", "CUDA out of memory"),
        (MemoryError(), "oom", "MemoryError: MemoryError"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "oom", "can't allocate"),
        (RuntimeError("Expected canUse32BitIndexMath(input) to be true, but got false."), "too_large", "canUse32"),
        (RuntimeError("integer out of range"), "too_large", "integer out of range"),
        (RuntimeError("src size > INT_MAX is not supported"), "too_large", "INT_MAX"),
        (RuntimeError("launch blocks must be positive, but got N=-2147483648"), "too_large", "N=-2147483648"),
        (ValueError("integer out of range"), "error", "ValueError: integer out of range"),
        (RuntimeError("shapes\ndo not fit"), "error", "RuntimeError: shapes do not fit"),
        (KeyError("x"), "error", "KeyError: 'x'"),
    ],
)
def test_what_goes_wrong_is_a_status_and_a_reason_in_one_line(
    error: Exception, status: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_request: object) -> None:
        raise error

    monkeypatch.setattr(worker, "measure", fail)
    reply = worker.trial({})

    assert reply["status"] == status
    assert reason in reply["reason"]
    assert reply["samples"] == []
    assert "\n" not in reply["reason"]


def test_a_model_that_is_not_there_is_an_error_that_names_it() -> None:
    reply = worker.trial(request(model="nowhere:net"))

    assert (reply["status"], reply["reason"]) == (
        "error", "model nowhere:net: No module named 'nowhere'"
    )  # fmt: skip


def test_a_variant_that_did_not_take_effect_is_invalid_and_has_no_samples() -> None:
    reply = worker.trial(request(allocator="tcmalloc"))

    assert (reply["status"], reply["reason"], reply["samples"]) == ("invalid", "tcmalloc is not loaded", [])


def test_a_batch_larger_than_the_data_is_unsupported() -> None:
    assert worker.trial(request(batch_size=5000))["status"] == "unsupported"
