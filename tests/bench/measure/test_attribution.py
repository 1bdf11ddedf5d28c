"""Time goes to the code that took it: on a clock that only planted waits move, every row is exact."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from bench.core.traces import BETWEEN, Owner
from bench.measure.clock import HostClock, Timeline
from bench.measure.leaves import leaves, paths, type_of
from bench.measure.probes import trace
from bench.measure.timing.layers import stamped
from bench.measure.validity.verify import observed
from bench.tasks.nest import tensors
from benchmarks.attribution import PHASES, step_of
from benchmarks.planted import CASES, SHAPE, Case, Plant

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.trace.*:FutureWarning", "ignore:.*weight_norm.*:FutureWarning"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_is_its_own_waits_and_nothing_else(case: Case, clock: Any) -> None:  # noqa: ANN401
    """Waits are powers of two seconds, so that no two sums of them are alike."""
    plant = Plant(clock.pass_s)
    model = case.net(plant)
    rows = [(spot, phase) for spot in case.spots() for phase in PHASES]
    plant.delays_s = {row: float(2 ** (3 * index)) for index, row in enumerate(rows)}
    with case.around():
        found = step_of(model, clock)

    assert {row: s for row, s in found.items() if s} == {r: s for r, s in case.expected(plant.delays_s).items() if s}
    assert {layer for layer, _ in found} <= {*case.spots(), BETWEEN, "part.1", "part.mlp.1"}


class Checkpointed(nn.Module):
    def __init__(self, *parts: nn.Module, reentrant: bool) -> None:
        super().__init__()
        self.whole, self.reentrant = nn.Sequential(*parts), reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.whole, x, use_reentrant=self.reentrant)  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # an inner one runs without gradients first
@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
def test_a_checkpoint_within_a_checkpoint_is_its_layers_backward(outer: bool, inner: bool, clock: Any) -> None:  # noqa: ANN401
    """What the inner one holds is computed three times: in forward, with the outer one, and for itself."""
    plant = Plant(clock.pass_s)
    within = Checkpointed(plant.layer("b"), plant.layer("c"), reentrant=inner)
    model = nn.Sequential(
        plant.layer("first"),
        Checkpointed(plant.layer("a"), within, plant.layer("d"), reentrant=outer),
        plant.layer("last"),
    )
    spots = ("first", "a", "b", "c", "d", "last")
    plant.delays_s = {(spot, "forward"): float(10**index) for index, spot in enumerate(spots)}
    plant.delays_s |= {(spot, "backward"): 5.0 * 10**index for index, spot in enumerate(spots)}
    found = {row: s for row, s in step_of(model, clock).items() if s}
    names = ("0", "1.whole.0", "1.whole.1.whole.0", "1.whole.1.whole.1", "1.whole.2", "2")

    assert [1, 10, 100, 1000, 10_000, 100_000] == [found.pop((name, "forward")) for name in names]
    assert [5, 60, 700, 7000, 60_000, 500_000] == [found.pop((name, "backward")) for name in names]
    assert not found


OUTSIDE_OF_RANGES = {"parametrized", "checkpoint, no early stop"}
"""In these a layer's backward has more than the node that made its output, or comes behind what is computed anew."""


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in OUTSIDE_OF_RANGES], ids=lambda case: case.name
)
def test_a_traces_ranges_are_as_long_as_the_rows(
    case: Case,
    clock: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ranges_s: Counter[Owner] = Counter()

    class Range:
        def __init__(self, owner: Owner) -> None:
            self.owner, self.start_s = owner, clock.now_s

        def __exit__(self, *_error: object) -> None:
            ranges_s[self.owner] += clock.now_s - self.start_s

    monkeypatch.setattr(trace, "opened", Range)
    plant = Plant(clock.pass_s)
    model = case.net(plant)
    rows = [(spot, phase) for spot in case.spots() for phase in PHASES]
    plant.delays_s = {row: float(2 ** (3 * index)) for index, row in enumerate(rows)}
    timeline = trace.Ranges(clock)
    with case.around(), stamped(model, timeline, timeline.leave):
        timeline.enter(("", "forward"))
        y = model(torch.ones(SHAPE, requires_grad=True))
        timeline.enter(("", "backward"))
        y.sum().backward()
        timeline.enter(("", "end"))
    expected = {row: s for row, s in case.expected(plant.delays_s).items() if s and row[0] != BETWEEN}

    assert expected == {row: s for row, s in ranges_s.items() if s and row[0] not in ("", BETWEEN)}


def test_what_a_checkpoint_computes_anew_is_held_no_longer_than_without_stamps() -> None:
    made: list[StorageWeakRef] = []

    def note(x: Tensor) -> Tensor:
        made.append(StorageWeakRef(x.untyped_storage()))
        return x

    plant = Plant(lambda _s: None)
    model = nn.Sequential(plant.layer("0", note), nn.Conv2d(4, 4, 1), plant.layer("2"))
    with stamped(model, Timeline(HostClock())):
        y = checkpoint(model, torch.ones(SHAPE, requires_grad=True), use_reentrant=False)
        y.sum().backward()

        assert [True, True] == [storage.expired() for storage in made]


class Odd(nn.Module):
    """One layer by two paths, called three times; one that is never called; one whose name is ours."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.ReLU())
        self.right = nn.Sequential(self.left[0])
        self.unused = nn.Linear(2, 2)
        self.between = parametrizations.weight_norm(nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.right(self.right(self.between(self.left(x))))  # type: ignore[no-any-return]


def test_facts_have_calls_and_paths_and_a_row_for_what_is_never_called() -> None:
    model = Odd()
    with observed(model) as facts:
        model(torch.ones(SHAPE, requires_grad=True)).sum().backward()
    told = {f.layer: (f.type, f.block, f.calls, f.paths, f.output_shape, f.dtype, f.parameters) for f in facts}

    assert told == {
        "left.0": ("ReLU", "left", 3, "left.0, right.0", "2x4x4x4", "float32", 0),
        "unused": ("Linear", "unused", 0, "", "", "", 6),
        ".between": ("Conv2d", "between", 1, "", "2x4x4x4", "float32", 24),
    }


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_is_computed_anew_is_no_call_of_the_step(reentrant: bool) -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())
    with observed(model) as facts:
        checkpoint(model, torch.ones(SHAPE, requires_grad=True), use_reentrant=reentrant).sum().backward()

    assert [1, 1] == [fact.calls for fact in facts]


def test_a_layer_of_a_name_of_ours_has_rows_of_its_own(clock: Any) -> None:  # noqa: ANN401
    plant = Plant(clock.pass_s, {("mine", "forward"): 1.0, ("mine", "backward"): 2.0})
    model = nn.Sequential()
    model.add_module(BETWEEN, plant.layer("mine"))
    found = step_of(model, clock)

    assert {row: s for row, s in found.items() if s} == {(".between", "forward"): 1.0, (".between", "backward"): 2.0}


def test_leaves_are_found_by_every_path() -> None:
    model = Odd()

    assert [["left.0", "right.0"], ["unused"], ["between"]] == list(paths(model).values())
    assert ["left.0", "unused", ".between"] == list(leaves(model))
    assert ["ReLU", "Linear", "Conv2d"] == [type_of(leaf) for leaf in leaves(model).values()]


def test_tensors_are_found_in_objects_that_hold_each_other_and_each_once() -> None:
    x, y = torch.ones(1), torch.zeros(1)
    many = [SimpleNamespace(number=number) for number in range(100)]
    for one in many:
        one.others = many
    whole = SimpleNamespace(x=x, many=many, deep={"y": (y, None, "z", 1)}, model=nn.Linear(2, 2))
    whole.itself = whole

    assert [id(x), id(y)] == [id(found) for found in tensors(((whole, whole), {}))]
