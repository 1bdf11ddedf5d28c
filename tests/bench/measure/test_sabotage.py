"""A variant that is not what it says gets a status with the reason, and no speed."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from msgspec.structs import asdict, replace
from torch import nn
from torch.func import functional_call

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.messages import Request
from bench.core.header import Counts
from bench.core.partial import shares
from bench.core.variants import from_row
from bench.measure import trial
from bench.process import child
from nin import train
from nin.train import Trainer
from tests.bench.measure import asking


def request(probes: str = "steps+layers+kernels+loader+numerics", **axes: object) -> Request:
    return asking.request(probes, **{"model": "tests_models:honest"} | axes)  # type: ignore[arg-type]


def outcome(asked: Request) -> tuple[Cause | None, str]:
    reply = trial.answer(asked)
    assert (reply.samples == ()) == (not reply.ok)
    return reply.cause, reply.reason


@pytest.mark.parametrize(
    "axes", [{}, {"memory_format": "nhwc"}, {"precision": "bf16"}, {"precision": "fp16"}, {"optimizer": "fused"}]
)
def test_an_honest_variant_passes_everything(axes: dict[str, str]) -> None:
    assert (None, "") == outcome(request(**axes))


def test_autocast_that_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "autocast", lambda _self: nullcontext())

    assert (Cause.LAYERS_DIFFER, "none of 3 computing layers in bfloat16") == outcome(request(precision="bf16"))


def in_part(**axes: object) -> list[str]:
    """What a variant that is ok took effect in, in part."""
    asked = request("steps+layers", **axes)
    reply = trial.answer(asked)
    assert (reply.cause, reply.reason) == (None, "")
    return [share.words for share in shares(from_row(asked.variant), map(asdict, reply.layers)) if not share.whole]


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

    assert (Cause.LAYERS_DIFFER, "none of 3 image layers' outputs as nhwc") == told


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

    assert (Cause.LAYERS_DIFFER, "none of 3 computing layers in float32") == told


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
    cause, reason = outcome(request(precision="fp32"))

    assert cause is Cause.NUMERICS_WRONG
    assert reason.startswith(f"the output of {layer} is off by a factor, by 1.0e-03 of its size")


def test_a_hundred_millionth_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", scaled("conv", 1 + 1e-8))

    assert (None, "") == outcome(request(precision="fp32"))


def test_a_recompilation_in_the_timed_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()
    asked = request("steps", compile_mode="inductor", model="tests_models:recompiles")
    counts = Counts(warmup=0, plain=2, iterations=1, stamped=0)

    found = outcome(replace(asked, counts=counts))

    assert found == (Cause.RECOMPILED, "2 graphs were compiled again in the timed region")


def test_a_compiler_that_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()
    asked = request("steps", compile_mode="inductor", model="tests_models:recompiles")
    counts = Counts(warmup=0, plain=20, iterations=1, stamped=0)  # torch gives up at the eighth

    assert outcome(replace(asked, counts=counts)) == (
        Cause.RECOMPILE_LIMIT,
        "it was compiled again so often that torch gives up and runs it eagerly",
    )


def test_a_compiled_model_that_stays_as_it_is_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()

    assert (None, "") == outcome(request("steps+numerics", compile_mode="inductor"))


def test_a_loss_that_is_no_number() -> None:
    assert (Cause.LOSS_NOT_FINITE, "the loss is nan") == outcome(request(model="tests_models:not_a_number"))


class SkipsEveryStep(torch.amp.GradScaler):
    """Says that every gradient overflowed."""

    def step(self, optimizer: torch.optim.Optimizer, *_args: object, **_kwargs: object) -> None:
        self.unscale_(optimizer)

    def update(self, *_args: object, **_kwargs: object) -> None:
        self._per_optimizer_states.clear()


def test_a_scaler_that_skips_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.amp, "GradScaler", SkipsEveryStep)
    cause, reason = outcome(request(precision="fp16"))

    assert cause is Cause.STEPS_SKIPPED
    assert reason.startswith("the GradScaler skipped ")
    skipped, steps = (int(word) for word in reason.split() if word.isdigit())
    assert skipped == steps > 2


def test_a_model_that_can_t_be_gated_keeps_its_speed_and_says_so() -> None:
    reply = trial.answer(request(model="tests_models:random"))

    assert (reply.status, reply.cause) == (Status.OK, Cause.NOT_GATED)
    assert reply.reason.startswith("two calculations of a batch differ")
    assert {s.metric for s in reply.samples} >= {"not_gated", "live_logits"}
    assert [s for s in reply.samples if s.metric == "wall"]


def test_a_scaler_that_switched_itself_off(monkeypatch: pytest.MonkeyPatch) -> None:
    off = torch.amp.GradScaler("cpu", enabled=False)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *_args, **_kwargs: off)

    assert (Cause.SETTINGS_DIFFER, "the GradScaler switched itself off") == outcome(request(precision="fp16"))


def test_no_memory_is_told_of_a_batch_that_does_not_fit() -> None:
    asked = asking.request("fit", (1, 224, 224), memory_limit_bytes=3 * 2**30, batch_size=1024, model="nin")
    variables = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parent)}
    reply = child.ask(asked, variables, limit_s=300)

    assert (reply.status, reply.cause, reply.samples) == (Status.OOM, Cause.OUT_OF_MEMORY, ())
