"""Attribution: a delay planted in one layer shows in its row, and in no other."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.measure.clock import HostClock, Timeline
from bench.measure.layers import Owner, block_of, leaves, stamp_cost_s, stamped
from nin.model import NiN

SPIN_SHARE = 0.2
PAIRS = 11


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def nin_in_place() -> nn.Module:
    """NiN whose ReLUs write into their input."""
    model = NiN()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    return model


class Residual(nn.Module):
    """A convolutional net with a skip, functional code between leaves, and one ReLU used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 48, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm2d(48)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(48, 48, 3, padding=1)
        self.conv2 = nn.Conv2d(48, 48, 3, padding=1)
        self.down = nn.Conv2d(48, 48, 1)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(48 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.stem(x)))
        y = self.conv2(self.relu(self.conv1(x)))
        return self.head(torch.flatten(self.pool(self.relu(y + self.down(x))), 1))  # type: ignore[no-any-return]


@contextmanager
def planted(layer: nn.Module, phase: str, seconds: float) -> Iterator[None]:
    """Within, each forward or backward of the layer takes `seconds` more, in its first use of a step."""
    handle = None
    if phase == "forward":
        original, used = layer.forward, [False]

        def slower(*inputs: Tensor) -> Tensor:
            if not used[0]:
                spin(seconds)
            used[0] = True
            return original(*inputs)  # type: ignore[no-any-return]

        layer.forward = slower
    else:
        pending = [True]

        def plant(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if pending[0]:
                # Behind the node that made the output: inside of the layer's own backward.
                output.grad_fn.register_hook(lambda _new, _old: spin(seconds))  # type: ignore[union-attr]
            pending[0] = False

        handle = layer.register_forward_hook(plant)
    yield
    if handle is None:
        layer.forward = original
    else:
        handle.remove()


def step_of(model: nn.Module, x: Tensor, y: Tensor) -> dict[Owner, float]:
    """One stamped forward and backward: seconds by layer and phase."""
    model.zero_grad()
    timeline = Timeline(HostClock())
    with stamped(model, timeline):
        timeline.enter(("", "forward"))
        logits = model(x)
        timeline.enter(("", "loss"))
        loss = F.cross_entropy(logits, y)
        timeline.enter(("", "backward"))
        loss.backward()
        timeline.enter(("", "end"))
    return timeline.seconds()


def shifts(model: nn.Module, x: Tensor, path: str, phase: str) -> tuple[float, float, dict[Owner, float]]:
    """Seconds planted, seconds of a step, and by how much each row moved, in medians of pairs in turn."""
    y = torch.zeros(len(x), dtype=torch.long)
    layer = model.get_submodule(path)
    step_s = statistics.median(sum(step_of(model, x, y).values()) for _ in range(3))
    spin_s = SPIN_SHARE * step_s
    plain, slowed = [], []
    for _ in range(PAIRS):
        plain.append(step_of(model, x, y))
        with planted(layer, phase, spin_s):
            slowed.append(step_of(model, x, y))
    moved = {
        owner: statistics.median(s[owner] for s in slowed) - statistics.median(p[owner] for p in plain)
        for owner in plain[0]
    }
    return spin_s, step_s, moved


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize(
    ("make", "path"),
    [
        (NiN, "0.0"),  # the first layer, whose input needs no gradient
        (NiN, "1"),  # a pooling layer
        (NiN, "7.0"),  # a late layer
        (nin_in_place, "2.1"),  # an in-place ReLU
        (Residual, "conv1"),  # inside of a skip
        (Residual, "down"),  # on the skip itself
        (Residual, "relu"),  # one module used three times
    ],
)
def test_a_planted_delay_moves_its_row_and_no_other(make: Callable[[], nn.Module], path: str, phase: str) -> None:
    torch.manual_seed(0)
    model = make()
    x = torch.rand(2, 1, 224, 224) if isinstance(model, NiN) else torch.rand(4, 1, 96, 96)
    spin_s, step_s, moved = shifts(model, x, path, phase)
    others = {owner: abs(seconds) for owner, seconds in moved.items() if owner != (path, phase)}

    assert pytest.approx(spin_s, rel=0.05) == moved[path, phase]
    assert max(others.values()) < 0.01 * step_s, max(others, key=lambda owner: others[owner])


@pytest.mark.usefixtures("one_thread")
def test_functional_code_between_leaves_has_a_row_of_its_own() -> None:
    class Between(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(SlowIdentity.apply(self.first(x)))  # type: ignore[no-any-return,no-untyped-call]

    seconds = step_of(Between(), torch.rand(2, 4), torch.zeros(2, dtype=torch.long))

    assert 0.05 < seconds["", "forward"] < 0.06
    assert 0.05 < seconds["", "backward"] < 0.06
    assert max(v for (layer, _), v in seconds.items() if layer) < 0.01


class SlowIdentity(torch.autograd.Function):
    """50 ms each way."""

    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        spin(0.05)
        return x.clone()

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        spin(0.05)
        return gradient


def test_a_layer_that_hands_its_input_on_has_no_backward() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Identity(), nn.Linear(4, 4)).eval()
    seconds = step_of(model, torch.rand(2, 4), torch.zeros(2, dtype=torch.long))

    assert {("1", "backward"), ("2", "backward")}.isdisjoint(seconds)
    assert min(seconds.values()) >= 0
    assert {("0", "backward"), ("3", "backward")} <= set(seconds)


def test_gradients_are_the_same_with_and_without_stamps() -> None:
    gradients = []
    for instrumented in (False, True):
        torch.manual_seed(0)
        model = nin_in_place()
        x, y = torch.rand(2, 1, 224, 224), torch.zeros(2, dtype=torch.long)
        torch.manual_seed(1)
        if instrumented:
            step_of(model, x, y)
        else:
            F.cross_entropy(model(x), y).backward()
        gradients.append([p.grad for p in model.parameters()])

    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))  # type: ignore[arg-type]


def test_no_hook_is_left_behind() -> None:
    model = NiN()
    with stamped(model, Timeline(HostClock())):
        pass

    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_leaves_have_their_path_and_block() -> None:
    assert list(leaves(NiN()))[:3] == ["0.0", "0.1", "0.2"]
    assert list(leaves(nn.Linear(1, 1))) == ["."]
    assert [block_of(path) for path in ("0.2", "9", "features.conv.1", ".")] == ["0", "9", "features", "."]


def test_a_stamp_costs_microseconds() -> None:
    assert 0 <= stamp_cost_s(HostClock(), torch.device("cpu")) < 1e-3
