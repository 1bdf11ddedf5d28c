"""How finely each precision rounds, and numbers that move at random by as much."""

from collections.abc import Callable

import pytest
import torch

from bench.core.axes.precision import PRECISION
from bench.measure.validity.gate.rounding import moved, precision_of
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


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
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device, of_device=capability: of_device)
        assert precision_of(work).name == expected
