"""A device without float64, such as Apple's: the gate widens what it gives on the CPU, not on the way there."""

from typing import Any
from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from bench.measure.validity.gate.calculation import exactly


class NoDoubles(TorchDispatchMode):
    """As torch on MPS (aten/src/ATen/native/mps/operations/Copy.mm): no copy from the device may widen to float64."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        off_cpu = any(isinstance(x, torch.Tensor) and x.device.type != "cpu" for x in args)
        if off_cpu and kwargs.get("dtype") is torch.float64:
            msg = "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64"
            raise TypeError(msg)
        return func(*args, **kwargs)


def test_a_result_is_copied_before_it_is_widened() -> None:
    with FakeTensorMode(), mock.patch("torch._subclasses.fake_tensor.init_gpu_context"):
        x = torch.empty(3, device="mps")
        with NoDoubles():  # type: ignore[no-untyped-call] # torch's
            wide = exactly(x)
            with pytest.raises(TypeError, match="float64"):
                x.to("cpu", torch.float64)

    assert (wide.device.type, wide.dtype) == ("cpu", torch.float64)


def test_a_result_on_the_cpu_keeps_its_numbers_and_loses_its_graph() -> None:
    x = torch.tensor([0.1, 2.0], requires_grad=True)
    wide = exactly(x)

    assert wide.tolist() == [0.10000000149011612, 2.0]
    assert not wide.requires_grad
