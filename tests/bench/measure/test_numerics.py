"""The gate's bound follows from float32's own error, and its errors are relative norms."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from bench.measure import numerics
from bench.measure.numerics import Result
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


def result(loss: float = 1.0, **gradients: list[float]) -> Result:
    return Result(loss=loss, gradients={n: torch.tensor(g, dtype=torch.float64) for n, g in gradients.items()})


def test_errors_are_norms_over_norms() -> None:
    found = numerics.errors(result(a=[3.0, 4.5], b=[1.0]), result(a=[3.0, 4.0], b=[1.0]))

    assert {"a": pytest.approx(0.1), "b": 0.0} == found


def test_a_gradient_that_is_next_to_nothing_is_held_against_the_others() -> None:
    found = numerics.errors(result(a=[1.0], b=[1e-9]), result(a=[1.0], b=[0.0]))

    assert pytest.approx(1e-3) == found["b"]


def test_a_gradient_that_is_missing_or_no_number_is_beyond_every_bound() -> None:
    exact = result(a=[1.0], b=[1.0])
    for mine in (result(a=[1.0]), result(a=[1.0], b=[math.nan])):
        found = numerics.deviation(mine, exact, {"a": 1.0, "b": 1.0})

        assert found.parameter == "b"
        assert found.beyond


def test_a_bound_is_thirty_times_the_error_of_float32_scaled_by_the_roundoff() -> None:
    plain, exact = result(a=[1.0 + 1e-6], b=[1.0]), result(a=[1.0], b=[1.0])

    fp32, bf16 = (numerics.bounds(plain, exact, numerics.ROUNDOFF[p]) for p in ("fp32", "bf16"))
    assert {"a": pytest.approx(3e-5), "b": pytest.approx(30 * 2.0**-22)} == fp32
    assert pytest.approx(3e-5 * 2**16) == bf16["a"]


def test_roundoff_is_what_torch_says() -> None:
    for name, dtype in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        assert numerics.ROUNDOFF[name] == torch.finfo(dtype).eps / 2


def test_he_weights_have_he_s_variance_and_no_bias() -> None:
    model = numerics.he_initialised(nn.Sequential(nn.Conv2d(64, 128, 3), nn.Linear(256, 256)), seed=0).state_dict()

    assert pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02) == float(model["0.weight"].std())
    assert pytest.approx(math.sqrt(2 / 256), rel=0.02) == float(model["1.weight"].std())
    assert not model["0.bias"].any()


@pytest.mark.parametrize("axes", [{}, {"memory_format": "nhwc"}, {"precision": "fp32"}])
def test_nin_passes_with_room(axes: dict[str, str], real_work: MakeWork) -> None:
    samples, reason = numerics.measure(real_work(batch_size=4, **axes))
    found = {row["metric"]: row["value"] for row in samples.rows}

    assert reason == ""
    assert found["gradient_error"] < found["bound"] / 3
    assert found["bound"] < 1e-3  # so that a weight scaled by 1.001 is found


def test_dead_logits_are_counted(real_work: MakeWork) -> None:
    """The notebook's initialisation leaves several of NiN's ten logits dead; He's and a plain head leave none."""
    work = real_work(batch_size=10)
    x, _ = numerics.fixed_batch(work)

    assert 1 <= numerics.live_logits(work, x) < 10
    assert numerics.live_logits(real_work(batch_size=10, model="tests_models:honest"), x) == 10


def test_another_layout_is_held_against_eager_too(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, memory_format="nhwc", precision="bf16")
    exact = result(a=[1.0])
    near, far = result(a=[1.01]), result(a=[1.2])
    found = numerics.deviation(near, exact, {"a": 0.1})

    assert numerics.reason_of(found, near, exact, {"a": 0.1}) == ""
    assert "differs from eager in the default layout" in numerics.reason_of(found, near, far, {"a": 0.1})
    assert numerics.eager_result(real_work(batch_size=2), nn.Sequential(), exact, exact.gradients["a"],
                                 exact.gradients["a"]) is None  # fmt: skip
    assert work.variant.precision == "bf16"
