"""The gate: eager variants compared layer by layer, what is not gated, and its images and attempts."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.func import functional_call

from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.finding import Finding
from bench.measure.validity.gate.stored import Store
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


def reason_of(gated: numerics.GateResult) -> str:
    return gated.fault.reason if gated.fault else ""


@pytest.mark.parametrize("axes", [{}, {"memory_format": "nhwc"}, {"precision": "fp32"}, {"precision": "bf16"}])
def test_nin_passes_with_room(axes: dict[str, str], real_work: MakeWork) -> None:
    gated = numerics.measure(real_work(batch_size=2, **axes))
    values = {row.metric: row.value for row in gated.samples().rows}

    assert gated.fault is None
    assert (values["gate_attempts"], values["own_weights"]) == (1, 0)
    assert values["score_error"] < values["score_bound"] / 2
    assert values["gradient_error"] < values["gradient_bound"]


@pytest.mark.parametrize("layer", ["0.0", "2.2", "7.4"])
def test_a_thousandth_on_a_convolution_of_nin_is_detected_and_named(layer: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=2, precision="fp32")
    model = work.trainer.model
    name = f"{layer}.weight"
    work.trainer.forward = lambda x: functional_call(model, {name: model.get_parameter(name) * 1.001}, (x,))
    reason = reason_of(numerics.measure(work))

    assert reason.startswith(f"the output of {layer} is off by a factor, by 1.0e-03 of its size; rounding explains ")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("change", [0.0, -1.0])
def test_a_gradient_that_is_lost_or_turned_is_detected_in_half_precision(
    precision: str, change: float, real_work: MakeWork
) -> None:
    work = real_work(batch_size=4, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    work.trainer.model.get_parameter("3.weight").register_hook(lambda gradient: gradient * change)

    assert reason_of(numerics.measure(work)).startswith("gradients of 3.weight ")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_hundredth_is_detected_in_half_precision_too(precision: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=8, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    work.trainer.model.get_submodule("3").register_forward_hook(lambda _m, _x, y: y * 1.01)

    assert reason_of(numerics.measure(work)).startswith("the output of 3 is off by a factor, by ")


def test_what_is_wrong_between_layers_is_detected(real_work: MakeWork) -> None:
    """As a residual that is added wrongly, which no layer's own output shows."""
    work = real_work(batch_size=8, precision="fp32", model="tests_models:residual", shape=(1, 28, 28))
    work.trainer.model.share = 1.01

    assert reason_of(numerics.measure(work)).startswith("the input of pool ")


@pytest.mark.parametrize("precision", ["default", "bf16", "fp16"])
def test_a_bias_before_a_batch_norm_has_no_gradient_to_compare(precision: str, real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), batch_size=8, precision=precision, model="tests_models:normalised")

    assert reason_of(numerics.measure(work)) == ""


def test_a_model_that_draws_at_random_is_not_gated(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:random")

    with pytest.raises(NotGatedError, match="it draws at random, or what it computes depends on earlier calls"):
        numerics.measure(work)


@pytest.mark.parametrize("model", ["ignores_what_is_returned", "complex_parameter"])
def test_a_model_that_borders_would_change_is_not_gated(model: str, real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), batch_size=4, model=f"tests_models:{model}")

    with pytest.raises(NotGatedError, match=r"a layer writes to its input|complex parameters"):
        numerics.measure(work)


def test_attention_is_gated_without_its_dropout(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 8, 8), batch_size=4, model="tests_models:attends", memory_format="nhwc")

    assert reason_of(numerics.measure(work)) == ""


def test_a_baseline_that_misses_is_not_gated(real_work: MakeWork) -> None:
    """A baseline is what the model's code does: it is never called wrong."""
    work = real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:honest")
    work.trainer.model.get_submodule("conv2").register_forward_hook(lambda _m, _x, y: y * 1.01)

    with pytest.raises(NotGatedError, match="plain eager code itself misses: the output of conv2 is off by a factor"):
        numerics.measure(work)


def test_weights_that_can_t_be_scaled_are_the_model_s_own_and_are_reported(real_work: MakeWork) -> None:
    gated = numerics.measure(real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:half_dead"))

    assert gated.fault is None
    assert {row.value for row in gated.samples().rows if row.metric == "own_weights"} == {1}


def test_a_model_whose_numbers_float32_does_not_hold_is_not_gated(real_work: MakeWork) -> None:
    with pytest.raises(NotGatedError, match="float32 does not hold"):
        numerics.measure(real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:explodes"))


def test_what_rounding_alone_explains_is_not_gated(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a deep compiled network in half precision, whose scores rounding moves by their own size."""
    work = real_work(batch_size=2, model="tests_models:honest", shape=(1, 28, 28))
    wide = Finding(what="the scores", error=0.3, bound=3.0, by_a_factor=False)
    lost = Finding(what="gradients of conv.weight", many=True, error=math.inf, bound=5.0, by_a_factor=False)
    for gradients, start in ((wide, ""), (lost, "gradients of conv.weight differ from float64 by inf")):
        attempt = numerics.Attempt(values=wide, gradients=gradients, loss_error=0.0, own_weights=False)
        monkeypatch.setattr(numerics, "attempt_of", lambda _work, _number, _store, same=attempt: same)
        monkeypatch.setattr(type(work.variant), "is_baseline", False)
        monkeypatch.setattr(type(work), "eager", False)
        if start:
            assert reason_of(numerics.measure(work)).startswith(start)
        else:
            with pytest.raises(NotGatedError, match="judge this model as a whole"):
                numerics.measure(work)


def test_what_misses_once_is_tried_again(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    honest = numerics.attempt_of

    def misses_first(work: Workload, number: int, store: Store) -> numerics.Attempt:
        calls.append(number)
        kink = Finding(what="a kink", error=1.0, bound=0.5, by_a_factor=False)
        attempt = honest(work, number, store)
        return attempt if number else numerics.Attempt(values=kink, gradients=kink, loss_error=0.0, own_weights=False)

    monkeypatch.setattr(numerics, "attempt_of", misses_first)
    gated = numerics.measure(real_work(batch_size=2, model="tests_models:honest", shape=(1, 28, 28)))

    assert (calls, gated.fault) == ([0, 1], None)
    assert {row.value for row in gated.samples().rows if row.metric == "gate_attempts"} == {2}


def test_attempts_have_other_images_and_layers_few_of_them(real_work: MakeWork) -> None:
    first, second = (numerics.fixed_batch(real_work(batch_size=32), attempt) for attempt in (0, 1))

    assert first[0].shape == second[0].shape == (8, 1, 224, 224)
    assert not torch.equal(first[0], second[0])
    assert len(numerics.fixed_batch(real_work(batch_size=4), 0)[0]) == 4


@pytest.mark.parametrize(
    ("batch_size", "most", "count"),
    [(4, 32, 4), (32, 32, 32), (128, 32, 32), (100, 32, 25), (36, 32, 18), (64, 20, 16), (61, 32, 32), (62, 32, 31)],
)
def test_as_many_images_as_fill_the_batch_when_repeated_or_all_there_may_be(
    batch_size: int, most: int, count: int
) -> None:
    assert numerics.image_count(batch_size, most) == count


def test_dead_logits_are_counted(real_work: MakeWork) -> None:
    """The notebook's initialisation leaves several of NiN's ten logits dead; a plain head leaves none."""
    work = real_work(batch_size=1)

    assert 1 <= numerics.live_logits(work) < 10
    assert numerics.live_logits(real_work(batch_size=10, model="tests_models:honest")) == 10
