"""Attribution: a delay planted in one layer shows in its row, and in no other."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

from bench.core.traces import Owner
from bench.measure.clock import Clock, HostClock, Timeline
from bench.measure.leaves import block_of, leaves
from bench.measure.timing.layers import stamp_cost_s, stamped
from nin.model import NiN

PHASES = ("forward", "backward")
WORK_S, PLANTED_S = 0.001, 0.008
PAIRS = 15


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
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.down = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm(self.stem(x))))
        y = self.conv2(self.relu(self.conv1(x)))
        return self.head(torch.flatten(self.relu(y + self.down(x)), 1))  # type: ignore[no-any-return]


@contextmanager
def planted(model: nn.Module, delays_s: dict[Owner, float], wait: Callable[[float], None]) -> Iterator[Counter[str]]:
    """Within, each use of a layer waits for its delay, in forward and in backward; counts the uses."""
    uses: Counter[str] = Counter()
    originals, handles = {}, []

    def slower(path: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*inputs: Tensor) -> Tensor:
            uses[path] += 1
            wait(delays_s.get((path, "forward"), 0))
            return original(*inputs)  # type: ignore[no-any-return]

        return forward

    def plant_backward(path: str, output: Tensor) -> None:
        # Behind the node that made the output: inside of the layer's own backward.
        output.grad_fn.register_hook(lambda _new, _old: wait(delays_s.get((path, "backward"), 0)))  # type: ignore[union-attr]

    for path, leaf in leaves(model).items():
        originals[leaf] = leaf.forward
        leaf.forward = slower(path, leaf.forward)
        handles.append(leaf.register_forward_hook(lambda _m, _x, y, path=path: plant_backward(path, y)))
    yield uses
    for leaf, original in originals.items():
        leaf.forward = original
    for handle in handles:
        handle.remove()


def step_of(model: nn.Module, x: Tensor, clock: Clock) -> dict[Owner, float]:
    """One stamped forward and backward: seconds by layer and phase."""
    model.zero_grad()
    timeline = Timeline(clock)
    with stamped(model, timeline):
        timeline.enter(("", "forward"))
        logits = model(x)
        timeline.enter(("", "loss"))
        loss = F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))
        timeline.enter(("", "backward"))
        loss.backward()
        timeline.enter(("", "end"))
    return timeline.seconds()


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (NiN, (2, 1, 224, 224)),
        (nin_in_place, (2, 1, 224, 224)),
        (Residual, (2, 1, 8, 8)),
        (resnet18, (2, 3, 32, 32)),
    ],
)
def test_every_layer_gets_its_own_delay_exactly_and_nothing_else(
    make: Callable[[], nn.Module],
    shape: tuple[int, ...],
    clock: Any,  # noqa: ANN401
) -> None:
    """On a clock that only delays move, each row is its own delay, all of them different."""
    model = make()
    owners = [(path, phase) for path in leaves(model) for phase in PHASES]
    delays_s = {owner: float(2**40 + 2**index) for index, owner in enumerate(owners[:40])}
    delays_s |= {owner: float(2**41 + index) for index, owner in enumerate(owners[40:])}
    with planted(model, delays_s, clock.pass_s) as uses:
        seconds = step_of(model, torch.rand(shape), clock)

    expected = {(path, phase): uses[path] * delays_s[path, phase] for path, phase in owners}
    assert {owner: seconds[owner] for owner in owners} == expected
    assert {s for (layer, _), s in seconds.items() if not layer} == {0.0}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "path",
    [
        "stem",  # the first layer, whose input needs no gradient
        "relu",  # in place, and used three times
        "pool",
        "conv1",  # inside of a skip
        "down",  # on the skip itself
    ],
)
def test_a_spin_in_one_layer_moves_its_row_by_it_and_no_other(path: str, phase: str) -> None:
    """In real time: every layer works a millisecond each way, one of them eight more.

    The work is a wait, not arithmetic: on a shared machine arithmetic itself takes up to twice as long
    from one second to the next, and would drown what is looked for.
    """
    model, x, clock = Residual(), torch.rand(2, 1, 8, 8), HostClock()
    work_s = {(layer, p): WORK_S for layer in leaves(model) for p in PHASES}
    plain, slowed = [], []
    for _ in range(PAIRS):
        with planted(model, work_s, spin) as uses:
            plain.append(step_of(model, x, clock))
        with planted(model, work_s | {(path, phase): WORK_S + PLANTED_S / uses[path]}, spin):
            slowed.append(step_of(model, x, clock))
    moved = {o: median_of(slowed, o) - median_of(plain, o) for o in plain[0]}
    step_s = sum(median_of(plain, owner) for owner in plain[0])
    others = {owner: abs(seconds) for owner, seconds in moved.items() if owner != (path, phase)}

    assert 0.2 < PLANTED_S / step_s < 0.5
    assert pytest.approx(PLANTED_S, rel=0.05) == moved[path, phase]
    assert max(others.values()) < 0.01 * step_s, max(others, key=lambda owner: others[owner])


def median_of(steps: list[dict[Owner, float]], owner: Owner) -> float:
    return statistics.median(step[owner] for step in steps)


@pytest.mark.usefixtures("one_thread")
def test_functional_code_between_leaves_has_a_row_of_its_own() -> None:
    class Between(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(SlowIdentity.apply(self.first(x)))  # type: ignore[no-any-return]

    seconds = step_of(Between(), torch.rand(2, 4), HostClock())

    assert 0.05 < seconds["", "forward"] < 0.1
    assert 0.05 < seconds["", "backward"] < 0.1
    assert max(v for (layer, _), v in seconds.items() if layer) < 0.05


class SlowIdentity(torch.autograd.Function):
    """50 ms each way."""

    @staticmethod
    def forward(_ctx: object, x: Tensor) -> Tensor:
        spin(0.05)
        return x.clone()

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:
        spin(0.05)
        return gradient


def test_a_layer_that_hands_its_input_on_has_no_backward() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Identity(), nn.Linear(4, 4)).eval()
    seconds = step_of(model, torch.rand(2, 4), HostClock())

    assert {("1", "backward"), ("2", "backward")}.isdisjoint(seconds)
    assert min(seconds.values()) >= 0
    assert {("0", "backward"), ("3", "backward")} <= set(seconds)


def test_gradients_are_the_same_with_and_without_stamps() -> None:
    gradients = []
    for instrumented in (False, True):
        torch.manual_seed(0)
        model = nin_in_place()
        x = torch.rand(2, 1, 224, 224)
        torch.manual_seed(1)
        if instrumented:
            step_of(model, x, HostClock())
        else:
            F.cross_entropy(model(x), torch.zeros(2, dtype=torch.long)).backward()
        gradients.append([p.grad for p in model.parameters()])

    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


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
