"""The gate on compiled variants: they are compared as a whole, at the batch that was timed."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bench.measure.timing.steps import take_step
from bench.measure.validity.effects import compile_counters
from bench.measure.validity.gate import numerics, numerics_whole
from bench.measure.validity.gate.finding import Finding
from bench.measure.validity.gate.numerics_whole import Result
from bench.measure.validity.gate.weights import new_model, unit_variance
from bench.measure.workload import Workload
from nin import train

MakeWork = Callable[..., Workload]
Forward = Callable[[nn.Module, torch.Tensor], Any]
NORMALISED = {"model": "tests_models:normalised", "shape": (1, 28, 28)}


def result(score: float = 1.0, **gradients: list[float]) -> Result:
    scores = torch.tensor([[score]], dtype=torch.float64)
    return Result(
        scores_NK=scores, loss=score, gradients={n: torch.tensor(g, dtype=torch.float64) for n, g in gradients.items()}
    )


def compiled(work: Workload, forward: Forward = lambda model, x: model(x)) -> Workload:
    """The work with another forward than its model's, as a compiled variant has."""
    model = work.trainer.model
    work.trainer.forward = Calling(lambda x: forward(model, x))
    return work


class Calling(nn.Module):
    """What calls a function, as a compiled model calls its code."""

    def __init__(self, call: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x)


def gate_forward(work: Workload) -> tuple[Finding, Finding]:
    """The gate's findings on the scores and the gradients of a compiled variant."""
    model = new_model(work)
    batch = numerics.fixed_batch(work, 0)
    assert unit_variance(model, lambda: work.loss(model, *batch), 0)
    numerics.take_weights(work, model)
    return numerics_whole.findings(work, model, batch)[:2]


def test_errors_are_norms_over_norms() -> None:
    by_name = numerics_whole.gradient_errors(result(a=[3.0, 4.5], b=[1.0]), result(a=[3.0, 4.0], b=[1.0]))

    assert {"a": pytest.approx(0.1), "b": 0.0} == by_name


def test_a_gradient_that_is_next_to_nothing_is_compared_with_the_others() -> None:
    by_name = numerics_whole.gradient_errors(result(a=[1.0], b=[1e-9]), result(a=[1.0], b=[0.0]))

    assert pytest.approx(1e-6) == by_name["b"]


def test_a_gradient_that_is_missing_zero_or_no_number_is_beyond_every_bound() -> None:
    exact = result(a=[1.0], b=[1.0])

    assert numerics_whole.gradient_errors(result(a=[1.0]), exact)["b"] == math.inf
    assert numerics_whole.gradient_errors(result(a=[1.0]), result(a=[1.0], b=[1e-9]))["b"] == pytest.approx(1e-6)
    assert numerics_whole.gradient_errors(result(a=[1.0], b=[0.0]), exact)["b"] == math.inf
    lost = numerics_whole.gradient_errors(result(a=[1.0], b=[math.nan]), exact)["b"]
    assert Finding(what="b", error=lost, bound=1e9, by_a_factor=False).share == math.inf


def test_repeating_the_images_changes_neither_scores_nor_loss_nor_gradients(real_work: MakeWork) -> None:
    work = real_work(batch_size=8, model="tests_models:normalised", shape=(1, 28, 28))
    model = new_model(work).double()
    x, y = torch.rand(8, 1, 28, 28, dtype=torch.float64), torch.arange(8)
    once = numerics_whole.result_of(work.loss, model, (x, y))
    often = numerics_whole.result_of(work.loss, model, numerics_whole.repeated((x, y), 5))

    torch.testing.assert_close(often.scores_NK, once.scores_NK.repeat(5, 1), rtol=1e-10, atol=1e-10)
    assert often.loss == pytest.approx(once.loss, rel=1e-10)
    torch.testing.assert_close(often.gradients, once.gradients, rtol=1e-10, atol=1e-10)


def test_a_gradient_next_to_nothing_has_a_large_batch_s_rounding_for_itself_alone() -> None:
    old, large = {"a": 1e-3, "b": 2e-3, "bias": 3e-3}, {"a": 5e-3, "b": 1e-3, "bias": 0.3}

    assert numerics_whole.gradient_bounds([old], large, {"bias"}) == {"a": 0.04, "b": 0.04, "bias": 2.4}
    assert numerics_whole.small_ones(result(a=[1.0], b=[2e-3], bias=[5e-4])) == {"bias"}


def test_a_large_batch_s_errors_count_up_to_128_times_the_others() -> None:
    old, large = {"a": 1e-3, "bias": 3e-3}, {"a": 0.8, "bias": math.inf}

    assert numerics_whole.gradient_bounds([old], large, {"bias"}) == pytest.approx({"a": 3.072, "bias": 3.072})


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (1.001, True)])
def test_a_compiled_variant_is_compared_as_a_whole(factor: float, wrong: bool, real_work: MakeWork) -> None:
    work = real_work(batch_size=8, model="tests_models:honest", shape=(1, 28, 28))
    scores, gradients = gate_forward(compiled(work, lambda model, x: model(x) * factor))

    assert (scores.share > 1) == wrong
    assert wrong or gradients.share <= 1


def test_a_compiled_variant_s_lost_gradient_is_detected_in_half_precision(real_work: MakeWork) -> None:
    work = real_work(batch_size=8, model="tests_models:honest", shape=(1, 28, 28), precision="bf16")
    work = compiled(work)
    work.trainer.model.get_parameter("conv.weight").register_hook(torch.zeros_like)
    model = new_model(work)
    numerics.take_weights(work, model)
    _, gradients, _ = numerics_whole.findings(work, model, numerics.fixed_batch(work, 0))

    assert (gradients.what, gradients.share) == ("gradients of conv.weight", math.inf)


@pytest.mark.parametrize("mode", [{}, {"memory_format": "nhwc"}, {"precision": "bf16"}])
def test_a_compiled_variant_is_gated_by_the_code_that_was_timed(
    mode: dict[str, str], real_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is compiled again for the gate: one graph, of the batch that the steps have."""
    monkeypatch.setattr(train, "compiled", lambda model, _mode: torch.compile(model, backend="eager", dynamic=False))
    torch._dynamo.reset()
    work = real_work(batch_size=64, model="tests_models:normalised", shape=(1, 28, 28), compile_mode="inductor", **mode)
    before = compile_counters()["stats"]["unique_graphs"]
    take_step(work)
    numerics.attempt_of(work, 0)

    assert compile_counters()["stats"]["unique_graphs"] - before == 1


@pytest.mark.parametrize("last", [1, 16])
def test_a_fault_in_the_last_rows_of_the_batch_is_detected(last: int, real_work: MakeWork) -> None:
    """As of a kernel that is wrong at the end of a large batch alone."""
    work = real_work(batch_size=128, model="tests_models:normalised", shape=(1, 28, 28))

    def forward(model: nn.Module, x: torch.Tensor) -> object:
        wrong_N1 = (torch.arange(len(x)) >= 128 - last)[:, None]
        return model(x) * torch.where(wrong_N1, 1.01, 1.0)

    scores, _ = gate_forward(compiled(work, forward))

    assert scores.share > 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("batch_size", [32, 128, 1000])
def test_images_that_fill_the_batch_pass_through_batch_norms(
    batch_size: int, precision: str, real_work: MakeWork
) -> None:
    work = real_work(batch_size=batch_size, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    scores, gradients = gate_forward(compiled(work))

    assert scores.share <= 1
    assert gradients.share <= 1


def test_a_model_whose_scores_depend_on_how_often_an_image_comes_gets_each_once(real_work: MakeWork) -> None:
    """As one that adds up over the batch."""
    work = real_work(batch_size=64, model="tests_models:adds_up_the_batch", shape=(1, 28, 28))
    sizes: list[int] = []

    def forward(model: nn.Module, x: torch.Tensor) -> object:
        sizes.append(len(x))
        return model(x)

    scores, gradients = gate_forward(compiled(work, forward))

    assert (scores.share <= 1, gradients.share <= 1, sizes) == (True, True, [8])


@pytest.mark.parametrize("batch_size", [32, 128, 512])
def test_torch_s_own_sums_in_the_variant_s_layout_and_batch_are_no_fault(batch_size: int, real_work: MakeWork) -> None:
    """On the CPU, torch's batch norm adds up in float32 in nhwc: its errors grow with the batch."""
    work = real_work(batch_size=batch_size, precision="fp32", memory_format="nhwc", **NORMALISED)
    scores, gradients = gate_forward(compiled(work))

    assert scores.share < 0.5
    assert gradients.share < 0.5


@pytest.mark.parametrize("batch_size", [32, 512])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_faults_of_a_compiled_variant_are_detected_in_each_layout_at_each_batch(
    layout: str, batch_size: int, real_work: MakeWork
) -> None:
    axes = {"batch_size": batch_size, "precision": "fp32", "memory_format": layout} | NORMALISED
    scores, _ = gate_forward(compiled(real_work(**axes), lambda model, x: model(x) * 1.01))
    work = compiled(real_work(**axes))
    work.trainer.model.get_parameter("3.weight").register_hook(lambda gradient: -gradient)
    _, gradients = gate_forward(work)

    assert scores.share > 1
    assert (gradients.what, gradients.share > 1) == ("gradients of 3.weight", True)


def test_torch_s_own_layer_that_is_wrong_in_a_layout_is_detected_compiled_too(
    real_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The yardstick of that layout is as wrong: it counts no further than rounding may go."""
    honest = torch.batch_norm

    def wrong(x: torch.Tensor, *args: object) -> torch.Tensor:
        return honest(x, *args) * (1.0 if x.is_contiguous() else 1.5)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "batch_norm", wrong)
    work = real_work(batch_size=64, precision="fp32", memory_format="nhwc", **NORMALISED)
    scores, _ = gate_forward(compiled(work))

    assert scores.share > 1


def test_code_of_one_s_own_that_is_wrong_in_a_layout_is_detected_compiled_too(real_work: MakeWork) -> None:
    work = real_work(
        batch_size=64, precision="fp32", memory_format="nhwc", model="tests_models:wrong_in_nhwc", shape=(1, 28, 28)
    )
    scores, _ = gate_forward(compiled(work))

    assert scores.share > 1
