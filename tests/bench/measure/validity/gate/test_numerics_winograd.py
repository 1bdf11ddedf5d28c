"""A kernel that computes a convolution in another honest way is not taken for a wrong one."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.core.exchange.cause import Fault
from bench.measure.validity.gate import numerics
from bench.measure.workload import Workload
from tests.bench.measure import winograd

MakeWork = Callable[..., Workload]
AXES = {"batch_size": 8, "precision": "fp32", "memory_format": "nhwc", "model": "winograd:small"}


def take_winograd(model: nn.Module) -> None:
    """Have each convolution of a model computed by Winograd's transforms."""
    for module in model.modules():
        if hasattr(module, "winograd"):
            module.winograd = True  # type: ignore[assignment]


def gated(work: Workload) -> tuple[numerics.Attempt, Fault | None]:
    """The first attempt, and what the gate says."""
    return numerics.attempt_of(work, 0), numerics.measure(work).fault


def test_winograd_s_transforms_give_a_convolution() -> None:
    x, weight = torch.rand(2, 3, 8, 12, dtype=torch.float64), torch.rand(5, 3, 3, 3, dtype=torch.float64)

    torch.testing.assert_close(winograd.convolved(x, weight), F.conv2d(x, weight, padding=1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [8, 28, 56])
def test_winograd_in_float32_passes_as_fp32(size: int, real_work: MakeWork) -> None:
    """cuDNN takes it for 3x3 convolutions: on a GPU the variant has it, the float64 reference does not."""
    work = real_work(
        batch_size=8, precision="fp32", model="winograd:small", shape=(3, size, size), memory_format="nhwc"
    )
    take_winograd(work.trainer.model)
    attempt, fault = gated(work)

    assert fault is None
    assert max(attempt.values.share, attempt.gradients.share) < 1


def test_winograd_that_is_wrong_by_a_hundredth_is_detected(real_work: MakeWork) -> None:
    work = real_work(shape=(3, 28, 28), **AXES)
    take_winograd(work.trainer.model)
    work.trainer.model.get_submodule("6").register_forward_hook(lambda _m, _x, y: y * 1.01)

    fault = numerics.measure(work).fault
    assert fault is not None
    assert fault.reason.startswith("the output of 6 is off by a factor, by 1.0e-02 of its size")
