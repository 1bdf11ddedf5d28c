"""On a machine with a CUDA device: every variant of the presets passes its own checks, in a process of its own."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from bench.core.facts import Environment
from bench.core.variants import LARGEST, Variant, as_row
from bench.machine.environment import describe, machine
from bench.plan.matrix import excluded_reason, preset
from bench.plan.presets import PRESETS
from bench.process import child

pytestmark = pytest.mark.gpu
VARIANTS = {e.variant.id: e.variant for name in PRESETS for e in preset(name, "cuda")}


def ask(variant: Variant, probes: str, tmp_path: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    request = {
        "task": "trial", "variant": as_row(variant), "probes": probes, "counts": {}, "seed": 0,
        "pilot_counts": {"plain": 3, "stamped": 2}, "memory_limit_bytes": None,
        "inputs": {"folder": None, "shape": None, "classes": 10},
    } | more  # fmt: skip
    variables = child.environment_of(variant, {}, tmp_path) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return child.ask(request, variables, limit_s=600)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_variant_is_what_it_says(variant: Variant, tmp_path: Path) -> None:
    if variant.batch_size == LARGEST:
        pytest.skip("sought by the parent")
    if reason := excluded_reason(variant, machine(msgspec.convert(describe(), Environment))):
        pytest.skip(reason)
    once = "steps+layers+kernels+loader+numerics" if variant.compile_mode == "eager" else "steps+numerics"
    reply = ask(variant, once, tmp_path)
    walls = [s["value"] for s in reply["samples"] if s["scope"] == "step" and s["metric"] == "wall"]
    devices = [s["value"] for s in reply["samples"] if s["metric"] == "device"]

    assert (reply["status"], reply["reason"]) == ("ok", "")
    assert all(0 < device <= 1.05 * wall for wall, device in zip(walls, devices, strict=True))


def test_memory_and_whole_epochs(tmp_path: Path) -> None:
    memory = ask(Variant(device="cuda", batch_size=128), "memory", tmp_path)
    values = {s["metric"]: s["value"] for s in memory["samples"] if not s["layer"]}
    epoch = ask(Variant(device="cuda", batch_size=128), "epoch", tmp_path)

    assert values["parameter"] <= values["allocator_peak"] <= values["reserved"] <= values["process_peak"]
    assert [s["metric"] for s in epoch["samples"]] == ["first_epoch", "epoch", "epoch", "epoch_images"]


def test_a_sustained_stretch_tells_speed_and_energy_and_a_trial_the_clock(tmp_path: Path) -> None:
    """Between idle and the largest boards: 5 to 1,500 W."""
    stretch = ask(Variant(device="cuda", batch_size=128), "sustained", tmp_path)
    trial = ask(Variant(device="cuda", batch_size=128), "steps", tmp_path)
    values = {s["metric"]: s["value"] for s in stretch["samples"]}

    assert (stretch["status"], stretch["reason"]) == ("ok", "")
    assert 0.5 < values["sustained_begin"] / values["sustained"] < 2
    assert "energy" not in values or 5 < values["energy"] / values["sustained"] < 1500
    assert trial["state"]["gpu_clock_hz"] is None or trial["state"]["gpu_clock_hz"] > 1e8


def test_a_limit_of_memory_is_kept(tmp_path: Path) -> None:
    variant = Variant(device="cuda", batch_size=1024)

    assert ask(variant, "fit", tmp_path, memory_limit_bytes=2**30)["status"] == "oom"
    assert ask(variant, "fit", tmp_path, memory_limit_bytes=None)["status"] == "ok"
    assert torch.cuda.is_available()
