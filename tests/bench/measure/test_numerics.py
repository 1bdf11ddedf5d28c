"""The gate's bound follows from float32's own error, and its errors are relative norms."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.func import functional_call

from bench.measure import numerics
from bench.measure.numerics import Bounds, Result
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


def result(score: float = 1.0, **gradients: list[float]) -> Result:
    scores = torch.tensor([[score]], dtype=torch.float64)
    return Result(
        scores_NK=scores, loss=score, gradients={n: torch.tensor(g, dtype=torch.float64) for n, g in gradients.items()}
    )


def test_errors_are_norms_over_norms() -> None:
    found = numerics.errors(result(a=[3.0, 4.5], b=[1.0]), result(a=[3.0, 4.0], b=[1.0]))

    assert {"a": pytest.approx(0.1), "b": 0.0} == found


def test_a_gradient_that_is_next_to_nothing_is_held_against_the_others() -> None:
    found = numerics.errors(result(a=[1.0], b=[1e-9]), result(a=[1.0], b=[0.0]))

    assert pytest.approx(1e-3) == found["b"]


def test_a_gradient_that_is_missing_or_no_number_is_beyond_every_bound() -> None:
    exact, allowed = result(a=[1.0], b=[1.0]), Bounds(scores=1.0, gradient=1.0)
    for mine in (result(a=[1.0]), result(a=[1.0], b=[math.nan])):
        found = numerics.deviation(mine, exact)

        assert found.parameter == "b"
        assert numerics.reason_of(found, allowed, "float64").startswith("gradients of b differ from float64 by inf")
    lost = numerics.deviation(result(math.nan, a=[1.0], b=[1.0]), exact)

    assert numerics.reason_of(lost, allowed, "float64").startswith("a batch's scores differ from float64 by nan")


def test_bounds_are_multiples_of_float32_s_worse_error_scaled_by_the_roundoff_or_its_root() -> None:
    exact = result(1.0, a=[1.0], b=[1.0])
    plain = [result(1.0 + 1e-7, a=[1.0 + 1e-3], b=[1.0]), result(1.0 + 5e-7, a=[1.0], b=[1.0 + 2e-4])]
    fp32, fp16, bf16 = (numerics.bounds(plain, exact, numerics.ROUNDOFF[p]) for p in ("fp32", "fp16", "bf16"))

    assert pytest.approx([4e-6, 8e-3]) == [fp32.scores, fp32.gradient]
    assert pytest.approx([4e-6 * 2**13, 8e-3 * 2**6.5]) == [fp16.scores, fp16.gradient]
    assert pytest.approx([0.2, 1.5]) == [bf16.scores, bf16.gradient]  # never more than that


def test_float32_s_own_errors_count_as_something() -> None:
    allowed = numerics.bounds([result(a=[1.0])], result(a=[1.0]), numerics.ROUNDOFF["fp32"])

    assert allowed == Bounds(scores=8 * 2.0**-22, gradient=8 * 2.0**-12)


def test_roundoff_is_what_torch_says() -> None:
    for name, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        assert numerics.ROUNDOFF[name] == torch.finfo(dtype).eps / 2


def test_he_weights_have_he_s_variance_and_no_bias() -> None:
    model = numerics.he_initialised(nn.Sequential(nn.Conv2d(64, 128, 3), nn.Linear(256, 256)), seed=0).state_dict()

    assert pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02) == float(model["0.weight"].std())
    assert pytest.approx(math.sqrt(2 / 256), rel=0.02) == float(model["1.weight"].std())
    assert not model["0.bias"].any()


@pytest.mark.parametrize("axes", [{}, {"memory_format": "nhwc"}, {"precision": "fp32"}, {"precision": "bf16"}])
def test_nin_passes_with_room(axes: dict[str, str], real_work: MakeWork) -> None:
    samples, reason = numerics.measure(real_work(batch_size=4, **axes))
    found = {row["metric"]: row["value"] for row in samples.rows}

    assert reason == ""
    assert found["gate_attempts"] == 1
    assert found["score_error"] < found["score_bound"] / 3
    assert found["gradient_error"] < found["gradient_bound"]


@pytest.mark.parametrize("layer", [f"{block}.{index}" for block in (0, 2, 4, 7) for index in (0, 2, 4)])
def test_a_thousandth_on_any_convolution_of_nin_is_found(layer: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=4)
    model = work.trainer.model
    name = f"{layer}.weight"
    work.trainer.forward = lambda x: functional_call(model, {name: model.get_parameter(name) * 1.001}, (x,))
    reason = numerics.measure(work)[1]

    assert reason.startswith("a batch's scores differ from float64 by ")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("change", [0.0, -1.0])
def test_a_gradient_that_is_lost_or_turned_is_found_in_half_precision(
    precision: str, change: float, real_work: MakeWork
) -> None:
    work = real_work(batch_size=4, precision=precision)
    work.trainer.model.get_parameter("2.0.weight").register_hook(lambda gradient: gradient * change)

    assert numerics.measure(work)[1].startswith("gradients of 2.0.weight differ from float64 by ")


@pytest.mark.parametrize("precision", ["default", "bf16", "fp16"])
def test_a_bias_in_front_of_a_batch_norm_has_no_gradient_to_hold(precision: str, real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), batch_size=8, precision=precision, model="tests_models:normalised")

    assert numerics.measure(work)[1] == ""


def test_a_model_that_draws_at_random_is_not_gated(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), batch_size=8, model="tests_models:random")

    with pytest.raises(numerics.NotGatedError, match="draws at random by itself"):
        numerics.measure(work)


def test_what_misses_once_is_tried_again(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    honest = numerics.attempted

    def misses_first(work: Workload, attempt: int) -> tuple[numerics.Deviation, Bounds, str]:
        calls.append(attempt)
        found, allowed, reason = honest(work, attempt)
        return found, allowed, reason or ("a kink" if attempt == 0 else "")

    monkeypatch.setattr(numerics, "attempted", misses_first)
    samples, reason = numerics.measure(real_work(batch_size=2, model="tests_models:honest"))

    assert (calls, reason) == ([0, 1], "")
    assert {row["value"] for row in samples.rows if row["metric"] == "gate_attempts"} == {2}


def test_attempts_have_other_images(real_work: MakeWork) -> None:
    first, second = (numerics.fixed_batch(real_work(batch_size=4), attempt) for attempt in (0, 1))

    assert first[0].shape == second[0].shape == (4, 1, 224, 224)
    assert not torch.equal(first[0], second[0])


def test_dead_logits_are_counted(real_work: MakeWork) -> None:
    """The notebook's initialisation leaves several of NiN's ten logits dead; He's and a plain head leave none."""
    work = real_work(batch_size=1)

    assert 1 <= numerics.live_logits(work) < 10
    assert numerics.live_logits(real_work(batch_size=10, model="tests_models:honest")) == 10


def test_another_layout_and_a_compiler_are_held_against_eager(real_work: MakeWork) -> None:
    plain = result(a=[1.0])
    x, y = numerics.fixed_batch(real_work(batch_size=2), 0)
    for axes, held in (({}, False), ({"memory_format": "nhwc"}, True), ({"precision": "bf16"}, False)):
        work = real_work(batch_size=2, **axes)
        assert (numerics.eager_result(work, numerics.new_model(work), plain, x, y) is plain) == held
    half = real_work(batch_size=2, precision="bf16", memory_format="nhwc")
    found = numerics.eager_result(half, numerics.new_model(half), plain, x, y)

    assert found is not None
    assert len(found.gradients) == 24
