"""On a machine with a CUDA device: every variant of the presets passes its own checks, in a process of its own."""

import os
from pathlib import Path

import pytest
import torch

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply
from bench.core.header import PilotCounts
from bench.core.variants import AXES, LARGEST, Variant
from bench.machine.environment import machine
from bench.measure.system.environment import describe
from bench.plan.matrix import excluded_reason, preset
from bench.plan.presets import PRESETS
from bench.process import child
from tests.bench.measure.asking import outcome, request, values

pytestmark = pytest.mark.gpu
VARIANTS = {e.variant.id: e.variant for name in PRESETS for e in preset(name, "cuda")}


def ask(variant: Variant, probes: str, tmp_path: Path, limit_bytes: int | None = None) -> Reply:
    pilot, axes = PilotCounts(plain=3, stamped=2), {name: getattr(variant, name) for name in AXES}
    asked = request(probes, None, pilot_counts=pilot, memory_limit_bytes=limit_bytes, **axes)
    variables = child.environment_of(variant, {}, tmp_path) | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return child.ask(asked, variables, limit_s=600)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_variant_is_what_it_says(variant: Variant, tmp_path: Path) -> None:
    if variant.batch_size == LARGEST:
        pytest.skip("sought by the parent")
    if reason := excluded_reason(variant, machine(describe())):
        pytest.skip(reason)
    once = "steps+layers+kernels+loader+numerics" if variant.compile_mode == "eager" else "steps+numerics"
    reply = ask(variant, once, tmp_path)
    walls = values(reply.samples, "wall")
    devices = values(reply.samples, "device")

    assert outcome(reply) == ("ok", "")
    assert all(0 < device <= 1.05 * wall for wall, device in zip(walls, devices, strict=True))


def test_memory_and_whole_epochs(tmp_path: Path) -> None:
    memory = ask(Variant(device="cuda", batch_size=128), "memory", tmp_path)
    found = {s.metric: s.value for s in memory.samples if not s.layer}
    epoch = ask(Variant(device="cuda", batch_size=128), "epoch", tmp_path)

    assert found["parameter"] <= found["allocator_peak"] <= found["reserved"] <= found["process_peak"]
    assert [s.metric for s in epoch.samples] == ["first_epoch", "epoch", "epoch", "epoch_images"]


def test_a_sustained_stretch_tells_speed_and_energy_and_a_trial_the_clock(tmp_path: Path) -> None:
    """Between idle and the largest boards: 5 to 1,500 W."""
    stretch = ask(Variant(device="cuda", batch_size=128), "sustained", tmp_path)
    trial = ask(Variant(device="cuda", batch_size=128), "steps", tmp_path)
    found = {s.metric: s.value for s in stretch.samples}

    assert outcome(stretch) == ("ok", "")
    assert 0.5 < found["sustained_begin"] / found["sustained"] < 2
    assert "energy" not in found or 5 < found["energy"] / found["sustained"] < 1500
    assert trial.state.gpu_clock_hz is None or trial.state.gpu_clock_hz > 1e8


def test_a_limit_of_memory_is_kept(tmp_path: Path) -> None:
    variant = Variant(device="cuda", batch_size=1024)

    assert ask(variant, "fit", tmp_path, 2**30).cause is Cause.OUT_OF_MEMORY
    assert ask(variant, "fit", tmp_path).ok
    assert torch.cuda.is_available()
