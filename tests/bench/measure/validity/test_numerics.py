"""The gate: a yardstick that is measured, layer by layer and as a whole, and what is found beyond it."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.func import functional_call

from bench.core.axes.precision import PRECISION
from bench.measure.timing.steps import take_step
from bench.measure.validity import numerics, numerics_layers, numerics_whole
from bench.measure.validity.borders import Border
from bench.measure.validity.effects import compile_counters
from bench.measure.validity.numerics_layers import Finding, Miss, Yard
from bench.measure.validity.numerics_whole import Result
from bench.measure.validity.rounding import moved, precision_of
from bench.measure.validity.weights import NotGatedError, new_model, unit_variance
from bench.measure.workload import Workload
from nin import train

MakeWork = Callable[..., Workload]


def reason_of(gated: numerics.Gated) -> str:
    return gated.fault.reason if gated.fault else ""


def result(score: float = 1.0, **gradients: list[float]) -> Result:
    scores = torch.tensor([[score]], dtype=torch.float64)
    return Result(
        scores_NK=scores, loss=score, gradients={n: torch.tensor(g, dtype=torch.float64) for n, g in gradients.items()}
    )


def test_errors_are_norms_over_norms() -> None:
    found = numerics_whole.errors(result(a=[3.0, 4.5], b=[1.0]), result(a=[3.0, 4.0], b=[1.0]))

    assert {"a": pytest.approx(0.1), "b": 0.0} == found


def test_a_gradient_that_is_next_to_nothing_is_held_against_the_others() -> None:
    found = numerics_whole.errors(result(a=[1.0], b=[1e-9]), result(a=[1.0], b=[0.0]))

    assert pytest.approx(1e-6) == found["b"]


def test_a_gradient_that_is_missing_zero_or_no_number_is_beyond_every_bound() -> None:
    exact = result(a=[1.0], b=[1.0])

    assert numerics_whole.errors(result(a=[1.0]), exact)["b"] == math.inf
    assert numerics_whole.errors(result(a=[1.0]), result(a=[1.0], b=[1e-9]))["b"] == pytest.approx(1e-6)
    assert numerics_whole.errors(result(a=[1.0], b=[0.0]), exact)["b"] == math.inf
    lost = numerics_whole.errors(result(a=[1.0], b=[math.nan]), exact)["b"]
    assert Finding(what="b", error=lost, bound=1e9, by_a_factor=False).share == math.inf


def test_roundoff_is_what_torch_says_and_float32_s_grain_is_finer_than_tf32_s() -> None:
    for name, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        assert PRECISION.value(name).roundoff == torch.finfo(dtype).eps / 2
    assert PRECISION.value("fp32").grain * 32 == PRECISION.value("tf32").grain


def test_numbers_move_by_at_most_a_grain_and_by_another_share_each() -> None:
    x = torch.full((1000,), -2.0)
    shares = (moved(x.clone(), 0.25, torch.Generator().manual_seed(0)) - x).abs() / 2

    assert 0.24 < float(shares.max()) <= 0.25
    assert float(shares.mean()) == pytest.approx(0.125, rel=0.1)
    assert len(set(shares.tolist())) > 900


def test_default_is_tf32_on_newer_gpus_alone(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = real_work(batch_size=2, model="tests_models:honest", shape=(1, 28, 28))
    assert precision_of(work).name == "fp32"
    monkeypatch.setattr(type(work), "device", property(lambda _self: torch.device("cuda")))
    for capability, expected in (((7, 0), "fp32"), ((7, 5), "fp32"), ((8, 0), "tf32"), ((9, 0), "tf32")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device, told=capability: told)
        assert precision_of(work).name == expected


def test_a_miss_is_a_distance_and_what_of_it_lies_along_the_reference() -> None:
    exact = torch.tensor([3.0, 4.0])

    assert numerics_layers.miss(exact * 1.5, exact) == Miss(2.5, 5.0, 2.5, 2)
    assert numerics_layers.miss(torch.tensor([3.0 - 4.0, 4.0 + 3.0]), exact) == Miss(5.0, 5.0, 0.0, 2)
    assert numerics_layers.miss(exact * 8, exact, scale=8.0).distance == 0


@pytest.mark.parametrize(
    ("miss", "share", "by_a_factor"),
    [
        (Miss(2.0, 100.0, 0.0, 1000), 0.5, False),  # half of four yardsticks
        (Miss(1.0, 100.0, 1.0, 1000), 1.0, True),  # all of it a factor, of which a quarter is allowed
        (Miss(1.0, 100.0, 1.0, 1), 0.25, False),  # a single number has no direction
        (Miss(math.nan, 100.0, 0.0, 1000), math.inf, False),
    ],
)
def test_what_is_off_is_held_against_the_yardstick(miss: Miss, share: float, by_a_factor: bool) -> None:
    found = numerics_layers.finding(("parameter", "w"), miss, Yard(distance=1.0, along=0.0))

    assert found.share == pytest.approx(share)
    assert found.by_a_factor == by_a_factor


def test_a_gradient_that_is_exactly_0_is_held_against_what_rounding_leaves_of_it() -> None:
    """As that of a bias in front of a batch norm."""
    found = numerics_layers.finding(("parameter", "bias"), Miss(2.0, 0.0, 0.0, 8), Yard(distance=1.0, along=0.0))

    assert (found.error, found.bound) == (2.0, 4.0)
    assert numerics_layers.finding(("parameter", "b"), Miss(1.0, 0.0, 0.0, 8), Yard(0.0, 0.0)).share == math.inf
    assert numerics_layers.finding(("parameter", "b"), Miss(0.0, 0.0, 0.0, 8), Yard(0.0, 0.0)).share == 0


def test_a_yardstick_is_the_largest_of_several_and_at_least_half_a_grain() -> None:
    misses = [Miss(1.0, 100.0, 0.5, 9), Miss(3.0, 100.0, 0.1, 9)]

    assert Yard.of(0.001, misses) == Yard(distance=3.0, along=0.5)
    assert Yard.of(0.1, misses).distance == 10.0


def test_a_yardstick_grows_by_what_plain_code_misses_but_not_beyond_rounding() -> None:
    yard = Yard(distance=1.0, along=0.1)

    assert yard.widened([]) == yard.widened([Miss(0.5, 100.0, 0.05, 9)]) == yard
    assert yard.widened([Miss(20.0, 100.0, 10.0, 9), Miss(2.0, 100.0, 0.2, 9)]) == Yard(distance=20.0, along=10.0)
    assert yard.widened([Miss(1000.0, 100.0, 1000.0, 9)]) == Yard(distance=128.0, along=32.0)


def test_what_is_off_is_named() -> None:
    names = [
        numerics_layers.words(key)
        for key in (
            ("value", Border("a.0", 0, "output", ())), ("gradient", Border("a.0", 0, "input", (0,))),
            ("value", Border("", 0, "output", ())), ("parameter", "a.0.weight"),
        )
    ]  # fmt: skip

    assert names == ["the output of a.0", "the gradient of the input of a.0", "the scores", "gradients of a.0.weight"]


@pytest.mark.parametrize("axes", [{}, {"memory_format": "nhwc"}, {"precision": "fp32"}, {"precision": "bf16"}])
def test_nin_passes_with_room(axes: dict[str, str], real_work: MakeWork) -> None:
    gated = numerics.measure(real_work(batch_size=2, **axes))
    found = {row.metric: row.value for row in gated.samples().rows}

    assert gated.fault is None
    assert (found["gate_attempts"], found["own_weights"]) == (1, 0)
    assert found["score_error"] < found["score_bound"] / 2
    assert found["gradient_error"] < found["gradient_bound"]


@pytest.mark.parametrize("layer", ["0.0", "2.2", "7.4"])
def test_a_thousandth_on_a_convolution_of_nin_is_found_and_named(layer: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=2, precision="fp32")
    model = work.trainer.model
    name = f"{layer}.weight"
    work.trainer.forward = lambda x: functional_call(model, {name: model.get_parameter(name) * 1.001}, (x,))
    reason = reason_of(numerics.measure(work))

    assert reason.startswith(f"the output of {layer} is off by a factor, by 1.0e-03 of its size; rounding explains ")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("change", [0.0, -1.0])
def test_a_gradient_that_is_lost_or_turned_is_found_in_half_precision(
    precision: str, change: float, real_work: MakeWork
) -> None:
    work = real_work(batch_size=4, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    work.trainer.model.get_parameter("3.weight").register_hook(lambda gradient: gradient * change)

    assert reason_of(numerics.measure(work)).startswith("gradients of 3.weight ")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_hundredth_is_found_in_half_precision_too(precision: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=8, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    work.trainer.model.get_submodule("3").register_forward_hook(lambda _m, _x, y: y * 1.01)

    assert reason_of(numerics.measure(work)).startswith("the output of 3 is off by a factor, by ")


def test_what_is_wrong_between_layers_is_found(real_work: MakeWork) -> None:
    """As a residual that is added wrongly, which no layer's own output shows."""
    work = real_work(batch_size=8, precision="fp32", model="tests_models:residual", shape=(1, 28, 28))
    work.trainer.model.share = 1.01  # type: ignore[assignment]

    assert reason_of(numerics.measure(work)).startswith("the input of pool ")


@pytest.mark.parametrize("precision", ["default", "bf16", "fp16"])
def test_a_bias_in_front_of_a_batch_norm_has_no_gradient_to_hold(precision: str, real_work: MakeWork) -> None:
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
    """It is what the model's code does: nothing else is held against it."""
    work = real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:honest")
    work.trainer.model.get_submodule("conv2").register_forward_hook(lambda _m, _x, y: y * 1.01)

    with pytest.raises(NotGatedError, match="plain eager code itself misses: the output of conv2 is off by a factor"):
        numerics.measure(work)


def test_weights_that_can_t_be_scaled_are_the_model_s_own_and_it_is_said(real_work: MakeWork) -> None:
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
    for gradients, told in ((wide, ""), (lost, "gradients of conv.weight differ from float64 by inf")):
        attempt = numerics.Attempt(values=wide, gradients=gradients, loss_error=0.0, own_weights=False)
        monkeypatch.setattr(numerics, "attempted", lambda _work, _attempt, found=attempt: found)
        monkeypatch.setattr(type(work.variant), "is_baseline", False)
        monkeypatch.setattr(type(work), "eager", False)
        if told:
            assert reason_of(numerics.measure(work)).startswith(told)
        else:
            with pytest.raises(NotGatedError, match="as a whole nothing can be told"):
                numerics.measure(work)


def test_what_misses_once_is_tried_again(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    honest = numerics.attempted

    def misses_first(work: Workload, attempt: int) -> numerics.Attempt:
        calls.append(attempt)
        kink = Finding(what="a kink", error=1.0, bound=0.5, by_a_factor=False)
        found = honest(work, attempt)
        return found if attempt else numerics.Attempt(values=kink, gradients=kink, loss_error=0.0, own_weights=False)

    monkeypatch.setattr(numerics, "attempted", misses_first)
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


NORMALISED = {"model": "tests_models:normalised", "shape": (1, 28, 28)}


class Compiled:
    """A work whose forward is another than its model's, as a compiled variant's is."""

    def __init__(self, work: Workload, forward: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        model = work.trainer.model
        work.trainer.forward = lambda x: forward(model, x)
        self.work = work


def gate_forward(work: Workload) -> tuple[Finding, Finding]:
    """What the gate finds of a forward that stands for a compiled one."""
    model = new_model(work)
    x, y = numerics.fixed_batch(work, 0)
    assert unit_variance(model, x, 0)
    numerics.take_weights(work, model)
    return numerics_whole.findings(work, model, x, y)[:2]


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (1.001, True)])
def test_a_compiled_variant_is_held_as_a_whole(factor: float, wrong: bool, real_work: MakeWork) -> None:
    work = real_work(batch_size=8, model="tests_models:honest", shape=(1, 28, 28))
    scores, gradients = gate_forward(Compiled(work, lambda model, x: model(x) * factor).work)

    assert (scores.share > 1) == wrong
    assert wrong or gradients.share <= 1


def test_a_compiled_variant_s_lost_gradient_is_found_in_half_precision(real_work: MakeWork) -> None:
    work = real_work(batch_size=8, model="tests_models:honest", shape=(1, 28, 28), precision="bf16")
    work = Compiled(work, lambda model, x: model(x)).work
    work.trainer.model.get_parameter("conv.weight").register_hook(torch.zeros_like)
    model = new_model(work)
    x, y = numerics.fixed_batch(work, 0)
    numerics.take_weights(work, model)
    _, gradients, _ = numerics_whole.findings(work, model, x, y)

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
    numerics.attempted(work, 0)

    assert compile_counters()["stats"]["unique_graphs"] - before == 1


@pytest.mark.parametrize("last", [1, 16])
def test_a_fault_in_the_last_rows_of_the_batch_is_found(last: int, real_work: MakeWork) -> None:
    """As of a kernel that is wrong at the end of a large batch alone."""
    work = real_work(batch_size=128, model="tests_models:normalised", shape=(1, 28, 28))

    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        wrong_N1 = (torch.arange(len(x)) >= 128 - last)[:, None]
        return model(x) * torch.where(wrong_N1, 1.01, 1.0)  # type: ignore[no-any-return]

    scores, _ = gate_forward(Compiled(work, forward).work)

    assert scores.share > 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("batch_size", [32, 128, 1000])
def test_images_that_fill_the_batch_pass_through_batch_norms(
    batch_size: int, precision: str, real_work: MakeWork
) -> None:
    work = real_work(batch_size=batch_size, precision=precision, model="tests_models:normalised", shape=(1, 28, 28))
    scores, gradients = gate_forward(Compiled(work, lambda model, x: model(x)).work)

    assert scores.share <= 1
    assert gradients.share <= 1


def test_repeating_the_images_changes_neither_scores_nor_loss_nor_gradients(real_work: MakeWork) -> None:
    model = new_model(real_work(batch_size=8, model="tests_models:normalised", shape=(1, 28, 28))).double()
    x, y = torch.rand(8, 1, 28, 28, dtype=torch.float64), torch.arange(8)
    once = numerics_whole.result_of(model, x, y)
    often = numerics_whole.result_of(model, x.repeat(5, 1, 1, 1), y.repeat(5))

    torch.testing.assert_close(often.scores_NK, once.scores_NK.repeat(5, 1), rtol=1e-10, atol=1e-10)
    assert often.loss == pytest.approx(once.loss, rel=1e-10)
    torch.testing.assert_close(often.gradients, once.gradients, rtol=1e-10, atol=1e-10)


def test_a_model_whose_scores_depend_on_how_often_an_image_comes_gets_each_once(real_work: MakeWork) -> None:
    """As one that adds up over the batch."""
    work = real_work(batch_size=64, model="tests_models:adds_up_the_batch", shape=(1, 28, 28))
    sizes: list[int] = []

    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return model(x)  # type: ignore[no-any-return]

    scores, gradients = gate_forward(Compiled(work, forward).work)

    assert (scores.share <= 1, gradients.share <= 1, sizes) == (True, True, [8])


@pytest.mark.parametrize("batch_size", [32, 128, 512])
def test_torch_s_own_sums_in_the_variant_s_layout_and_batch_are_no_fault(batch_size: int, real_work: MakeWork) -> None:
    """On the CPU, torch's batch norm adds up in float32 in nhwc: its errors grow with the batch."""
    work = real_work(batch_size=batch_size, precision="fp32", memory_format="nhwc", **NORMALISED)
    scores, gradients = gate_forward(Compiled(work, lambda model, x: model(x)).work)

    assert scores.share < 0.5
    assert gradients.share < 0.5


@pytest.mark.parametrize("batch_size", [32, 512])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_faults_of_a_compiled_variant_are_found_in_each_layout_at_each_batch(
    layout: str, batch_size: int, real_work: MakeWork
) -> None:
    axes = {"batch_size": batch_size, "precision": "fp32", "memory_format": layout} | NORMALISED
    scores, _ = gate_forward(Compiled(real_work(**axes), lambda model, x: model(x) * 1.01).work)
    work = Compiled(real_work(**axes), lambda model, x: model(x)).work
    work.trainer.model.get_parameter("3.weight").register_hook(lambda gradient: -gradient)
    _, gradients = gate_forward(work)

    assert scores.share > 1
    assert (gradients.what, gradients.share > 1) == ("gradients of 3.weight", True)


def test_a_gradient_next_to_nothing_has_a_large_batch_s_rounding_for_itself_alone() -> None:
    old, large = {"a": 1e-3, "b": 2e-3, "bias": 3e-3}, {"a": 5e-3, "b": 1e-3, "bias": 0.3}

    assert numerics_whole.gradient_bounds([old], large, {"bias"}) == {"a": 0.04, "b": 0.04, "bias": 2.4}
    assert numerics_whole.small_ones(result(a=[1.0], b=[2e-3], bias=[5e-4])) == {"bias"}


def test_a_large_batch_s_errors_count_up_to_128_times_the_others() -> None:
    old, large = {"a": 1e-3, "bias": 3e-3}, {"a": 0.8, "bias": math.inf}

    assert numerics_whole.gradient_bounds([old], large, {"bias"}) == pytest.approx({"a": 3.072, "bias": 3.072})


def test_torch_s_own_layer_that_is_wrong_in_a_layout_is_found_compiled_too(
    real_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The yardstick of that layout is as wrong: it counts no further than rounding may go."""
    honest = torch.batch_norm

    def wrong(x: torch.Tensor, *args: object) -> torch.Tensor:
        return honest(x, *args) * (1.0 if x.is_contiguous() else 1.5)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "batch_norm", wrong)
    work = real_work(batch_size=64, precision="fp32", memory_format="nhwc", **NORMALISED)
    scores, _ = gate_forward(Compiled(work, lambda model, x: model(x)).work)

    assert scores.share > 1


def test_code_of_one_s_own_that_is_wrong_in_a_layout_is_found_compiled_too(real_work: MakeWork) -> None:
    work = real_work(
        batch_size=64, precision="fp32", memory_format="nhwc", model="tests_models:wrong_in_nhwc", shape=(1, 28, 28)
    )
    scores, _ = gate_forward(Compiled(work, lambda model, x: model(x)).work)

    assert scores.share > 1
