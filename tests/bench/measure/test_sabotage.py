"""A variant that is not what it says gets a status with the reason, and no speed."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call

from bench.core.partial import shares
from bench.core.variants import Variant, as_row, from_row
from bench.measure import worker
from bench.process import child
from nin import train
from nin.train import Trainer


def request(probes: str = "steps+layers+kernels+loader+numerics", **axes: object) -> dict[str, Any]:
    variant = Variant(**{"model": "tests_models:honest", "batch_size": 4} | axes)  # type: ignore[arg-type]
    return {
        "task": "trial", "variant": as_row(variant), "probes": probes, "counts": {}, "seed": 0,
        "pilot_counts": {"plain": 2, "stamped": 1}, "memory_limit_bytes": None,
        "inputs": {"folder": None, "shape": [1, 28, 28], "classes": 10},
    }  # fmt: skip


def outcome(asked: dict[str, Any]) -> tuple[str, str]:
    reply = worker.trial(asked)
    assert (reply["samples"] == []) == (reply["status"] != "ok")
    return reply["status"], reply["reason"]


@pytest.mark.parametrize(
    "axes", [{}, {"memory_format": "nhwc"}, {"precision": "bf16"}, {"precision": "fp16"}, {"optimizer": "fused"}]
)
def test_an_honest_variant_passes_everything(axes: dict[str, str]) -> None:
    assert ("ok", "") == outcome(request(**axes))


def test_autocast_that_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "autocast", lambda _self: nullcontext())

    assert ("invalid", "none of 3 computing layers in bfloat16") == outcome(request(precision="bf16"))


def in_part(**axes: object) -> list[str]:
    """What a variant that is ok took effect in, in part."""
    asked = request("steps+layers", **axes)
    reply = worker.trial(asked)
    assert (reply["status"], reply["reason"]) == ("ok", "")
    return [share.words for share in shares(from_row(asked["variant"]), reply["layers"]) if not share.whole]


@pytest.mark.parametrize("axes", [{}, {"precision": "bf16"}])
def test_an_honest_variant_took_effect_whole(axes: dict[str, str]) -> None:
    assert in_part(**axes) == []


def test_torch_gives_the_gradient_of_a_global_pooling_in_the_default_layout() -> None:
    assert in_part(memory_format="nhwc") == ["2 of 3 gradients as nhwc"]


def test_a_layout_that_is_lost_midway_is_measured_and_told_of() -> None:
    found = in_part(memory_format="nhwc", model="tests_models:loses_layout")

    assert found[0] == "3 of 4 image layers' outputs as nhwc"


def test_a_layout_that_is_never_there() -> None:
    told = outcome(request(memory_format="nhwc", model="tests_models:never_nhwc"))

    assert ("invalid", "none of 3 image layers' outputs as nhwc") == told


def test_a_mean_over_the_planes_alone_costs_no_verdict() -> None:
    found = in_part(memory_format="nhwc", model="tests_models:means")

    assert found == ["none of 1 gradients as nhwc"]


def test_a_part_without_autocast_is_told_of() -> None:
    assert in_part(precision="bf16", model="tests_models:partly_in_float32") == ["2 of 3 computing layers in bfloat16"]


def test_whole_numbers_and_a_part_in_half_precision_are_no_fault() -> None:
    assert in_part(model="tests_models:counts") == []
    assert in_part(model="tests_models:partly_in_half") == ["2 of 3 computing layers in float32"]


def test_a_model_that_computes_in_half_precision_unasked() -> None:
    told = outcome(request(precision="fp32", model="tests_models:all_in_half"))

    assert ("invalid", "none of 3 computing layers in float32") == told


def scaled(layer: str, factor: float) -> Callable[[nn.Module, str], Callable[[torch.Tensor], torch.Tensor]]:
    """What takes the place of nin.train.compiled: a forward with one layer's weights scaled."""

    def compiled(model: nn.Module, _mode: str) -> Callable[[torch.Tensor], torch.Tensor]:
        def forward(x: torch.Tensor) -> torch.Tensor:
            weight = model.get_parameter(f"{layer}.weight")
            return functional_call(model, {f"{layer}.weight": weight * factor}, (x,))  # type: ignore[no-any-return]

        return forward

    return compiled


@pytest.mark.parametrize("layer", ["conv", "conv2", "head"])
def test_weights_scaled_by_a_thousandth_under_fp32(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", scaled(layer, 1.001))
    status, reason = outcome(request(precision="fp32"))

    assert status == "invalid"
    assert reason.startswith(f"the output of {layer} is off by a factor, by 1.0e-03 of its size")


def test_a_hundred_millionth_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", scaled("conv", 1 + 1e-8))

    assert ("ok", "") == outcome(request(precision="fp32"))


def test_a_recompilation_in_the_timed_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()
    asked = request("steps", compile_mode="inductor", model="tests_models:recompiles")
    counts = {"warmup": 0, "plain": 2, "iterations": 1, "stamped": 0}

    assert ("invalid", "2 graphs were compiled anew in the timed region") == outcome(asked | {"counts": counts})


def test_a_compiler_that_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()
    asked = request("steps", compile_mode="inductor", model="tests_models:recompiles")
    counts = {"warmup": 0, "plain": 20, "iterations": 1, "stamped": 0}  # torch gives up at the eighth

    assert outcome(asked | {"counts": counts}) == (
        "invalid",
        "it was compiled anew so often that torch gives up and runs it eagerly",
    )


def test_a_compiled_model_that_stays_as_it_is_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()

    assert ("ok", "") == outcome(request("steps+numerics", compile_mode="inductor"))


def test_a_loss_that_is_no_number() -> None:
    assert ("invalid", "the loss is nan") == outcome(request(model="tests_models:not_a_number"))


class SkipsEveryStep(torch.amp.GradScaler):
    """Says that every gradient overflowed."""

    def step(self, optimizer: torch.optim.Optimizer, *_args: object, **_kwargs: object) -> None:
        self.unscale_(optimizer)

    def update(self, *_args: object, **_kwargs: object) -> None:
        self._per_optimizer_states.clear()


def test_a_scaler_that_skips_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.amp, "GradScaler", SkipsEveryStep)
    status, reason = outcome(request(precision="fp16"))

    assert status == "invalid"
    assert reason.startswith("the GradScaler skipped ")
    skipped, steps = (int(word) for word in reason.split() if word.isdigit())
    assert skipped == steps > 2


def test_a_model_that_can_t_be_gated_keeps_its_speed_and_says_so() -> None:
    reply = worker.trial(request(model="tests_models:random"))

    assert reply["status"] == "ok"
    assert reply["reason"].startswith("two calculations of a batch differ")
    assert {s["metric"] for s in reply["samples"]} >= {"not_gated", "live_logits"}
    assert [s for s in reply["samples"] if s["metric"] == "wall"]


def test_a_scaler_that_switched_itself_off(monkeypatch: pytest.MonkeyPatch) -> None:
    off = torch.amp.GradScaler("cpu", enabled=False)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *_args, **_kwargs: off)

    assert ("invalid", "the GradScaler switched itself off") == outcome(request(precision="fp16"))


def test_no_memory_is_told_of_a_batch_that_does_not_fit() -> None:
    asked = request("fit", batch_size=1024, model="nin") | {"memory_limit_bytes": 3 * 2**30}
    asked["inputs"] = {"folder": None, "shape": [1, 224, 224], "classes": 10}
    variables = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parent)}
    reply = child.ask(asked, variables, limit_s=300)

    assert reply["status"] == "oom"
    assert reply["samples"] == []
