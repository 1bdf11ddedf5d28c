"""Sums that torch's own layers round more in one layout are no fault; a fault in one layout is detected."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.numerics_layout import TorchLayersIn
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch computes in one thread: it adds up all numbers of a channel in a row."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_torch_s_batch_norms_pass_over_many_numbers(layout: str, real_work: MakeWork) -> None:
    """In nhwc on the CPU, torch adds up a channel's 25,000 numbers one after another, in float32."""
    axes = {"batch_size": 8, "precision": "fp32", "memory_format": layout}
    work = real_work(model="tests_models:adds_up_many", shape=(3, 56, 56), **axes)
    for attempt in range(numerics.ATTEMPTS):
        result = numerics.attempt_of(work, attempt)
        assert max(result.values.share, result.gradients.share) < 0.5


def test_a_layer_of_one_s_own_that_is_wrong_in_a_layout_is_detected(real_work: MakeWork) -> None:
    axes = {"batch_size": 8, "precision": "fp32", "memory_format": "nhwc"}
    work = real_work(model="tests_models:wrong_in_nhwc", shape=(1, 28, 28), **axes)

    fault = numerics.measure(work).fault
    assert fault is not None
    assert fault.reason.startswith("the output of spoil is off by a factor, by 1.0e-02 of its size")


def test_torch_s_own_batch_norm_is_detected_if_it_is_wrong_in_a_layout(
    real_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the yardstick of that layout is wrong too: it counts no further than rounding may go."""
    honest = torch.batch_norm

    def wrong(x: Tensor, *args: object) -> Tensor:
        return honest(x, *args) * (1.0 if x.is_contiguous() else 1.01)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "batch_norm", wrong)
    axes = {"batch_size": 8, "precision": "fp32", "memory_format": "nhwc"}
    work = real_work(model="tests_models:adds_up_many", shape=(3, 28, 28), **axes)

    fault = numerics.measure(work).fault
    assert fault is not None
    assert "is off by a factor, by 1.0e-02 of its size" in fault.reason


def test_torch_s_layers_get_the_layout_and_all_else_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    formats: list[bool] = []
    honest = torch.batch_norm

    def noted(x: Tensor, *args: object) -> Tensor:
        formats.append(x.is_contiguous(memory_format=torch.channels_last))
        return honest(x, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(torch, "batch_norm", noted)
    layer, x = nn.BatchNorm2d(8).double(), torch.rand(4, 8, 6, 6, dtype=torch.float64, requires_grad=True)
    plain = layer(x)
    (wanted,) = torch.autograd.grad(plain.square().sum(), x)
    with TorchLayersIn(torch.channels_last):
        laid = layer(x)
    (gradient,) = torch.autograd.grad(laid.square().sum(), x)

    assert formats == [False, True]
    assert laid.is_contiguous()
    assert gradient.is_contiguous()
    torch.testing.assert_close(laid, plain)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("call", [lambda w, x: F.conv2d(x, w), lambda w, x: F.conv2d(input=x, weight=w)])
def test_filters_get_their_gradient_in_the_default_layout(call: Callable[[Tensor, Tensor], Tensor]) -> None:
    weight, x = torch.rand(5, 3, 3, 3, requires_grad=True), torch.rand(2, 3, 8, 8)
    with TorchLayersIn(torch.channels_last):
        y = call(weight, x)
    (gradient,) = torch.autograd.grad(y.sum(), weight)

    assert gradient.is_contiguous()
    torch.testing.assert_close(y, F.conv2d(x, weight))
