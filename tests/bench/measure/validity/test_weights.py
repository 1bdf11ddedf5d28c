"""Weights of unit variance: no layer's output is dead or explodes, whatever the depth."""

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from bench.measure.validity.gate.weights import unit_variance, without_noise


def deviations(model: nn.Module, x: torch.Tensor) -> list[float]:
    found: list[float] = []
    handles = [
        m.register_forward_hook(lambda _m, _x, y: found.append(float(y.detach().std())))
        for m in model.modules()
        if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return found


def test_each_layer_s_output_has_variance_1_and_no_bias() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4 * 36, 10))
    x = torch.rand(16, 3, 8, 8)

    assert unit_variance(model, lambda: model(x), seed=0)
    assert deviations(model, x) == pytest.approx([1, 1, 1], rel=1e-4)
    assert not any(bool(p.any()) for name, p in model.named_parameters() if name.endswith("bias"))


def test_a_thousand_layers_neither_die_nor_explode() -> None:
    """He's weights alone overflow here: without a ReLU between them each layer doubles the variance."""
    model = nn.Sequential(*(nn.Conv2d(16, 16, 1) for _ in range(1000)))
    x = torch.rand(2, 16, 4, 4)
    for weight in (p for p in model.parameters() if p.dim() > 1):
        nn.init.kaiming_normal_(weight, nonlinearity="relu")

    assert not model(x).isfinite().all()
    assert unit_variance(model, lambda: model(x), seed=0)
    assert deviations(model, x) == pytest.approx([1] * 1000, rel=1e-2)


def test_a_shared_layer_is_scaled_at_its_first_call_and_a_tied_weight_once() -> None:
    shared, tied = nn.Linear(8, 8), nn.Linear(8, 8)
    tied.weight = shared.weight
    model, x = nn.Sequential(shared, shared, tied), torch.rand(32, 8)

    assert unit_variance(model, lambda: model(x), seed=0)
    assert float(shared(x).detach().std()) == pytest.approx(1, rel=1e-4)


def test_a_dead_layer_is_told_of() -> None:
    class Zero(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0

    model, x = nn.Sequential(nn.Linear(4, 4), Zero(), nn.Linear(4, 4)), torch.rand(2, 4)
    assert not unit_variance(model, lambda: model(x), seed=0)


def test_a_weight_that_is_computed_from_others_is_left_alone() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    before = layer.weight.detach().clone()

    assert unit_variance(layer, lambda: layer(torch.rand(8, 4)), seed=0)
    assert torch.equal(layer.weight, before)


def test_dropouts_and_stochastic_depth_are_off_and_norms_are_not() -> None:
    class OwnDropPath(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.rand(()) if self.training else x

    model = nn.Sequential(nn.Dropout(0.5), StochasticDepth(0.5, "row"), OwnDropPath(), nn.BatchNorm1d(4)).train()
    without_noise(model)

    assert [m.training for m in model] == [False, False, False, True]
    assert torch.equal(model(torch.eye(4)), model(torch.eye(4)))
