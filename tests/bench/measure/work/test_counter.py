"""Operations of layers, against numbers that a person can count."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.core.traces import BETWEEN
from bench.core.variants import Variant
from bench.measure.probes.work import samples_of, work_of
from bench.measure.timing.layers import stamped
from bench.measure.work.counter import Counter, Work
from bench.measure.workload import Inputs, build
from tests.bench.measure.work.counting import counted, counting, images


class Attention(nn.Module):
    """One head's worth of functional attention."""

    def __init__(self, mask: Tensor | None = None) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.mask)


class Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Parameter(torch.ones(2, 4, 5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.bmm(x, self.other)


class Again(nn.Module):
    """One layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.one(self.one(x))  # type: ignore[no-any-return]


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(5, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.inner, x, use_reentrant=False)  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.cells(x)[0]  # type: ignore[no-any-return]


def total(by_owner: dict[tuple[str, str], Work], phase: str) -> int:
    """The operations of a phase."""
    return sum(work.flops or 0 for (_, of), work in by_owner.items() if of == phase)


CONV = 2 * 2 * 8 * 10 * 10 * 3 * 3 * 3
"""A multiplication and an addition for two images, 8 channels of 10x10 pixels, and 3 channels of a 3x3 kernel."""
LINEAR = 2 * 3 * 5 * 7
ATTENTION = 2 * (2 * 2 * 3 * 8 * 8 * 4)
"""Two products: 2 images, 3 heads, 8 queries, 8 keys, 4 numbers each."""
LSTM = 2 * 5 * 3 * (24 * 4 + 24 * 6)
"""Each of 5 steps and 3 sequences multiplies input and state by four gates' weights."""
Case = tuple[Callable[[], nn.Module], Callable[[], Any], int, int]
CASES: dict[str, Case] = {
    "dense": (lambda: nn.Conv2d(3, 8, 3, padding=1), lambda: images(2, 3, 10, 10), CONV, 2 * CONV),
    "no gradient of the input": (
        lambda: nn.Conv2d(3, 8, 3, padding=1), lambda: torch.ones(2, 3, 10, 10), CONV, CONV,
    ),
    "strided": (
        lambda: nn.Conv2d(3, 8, 3, padding=1, stride=2), lambda: images(2, 3, 10, 10), CONV // 4, 2 * CONV // 4,
    ),
    "dilated": (
        lambda: nn.Conv2d(3, 8, 3, padding=2, dilation=2), lambda: images(2, 3, 10, 10), CONV, 2 * CONV,
    ),
    "1x1": (lambda: nn.Conv2d(3, 8, 1), lambda: images(2, 3, 10, 10), CONV // 9, 2 * CONV // 9),
    "grouped": (
        lambda: nn.Conv2d(8, 8, 3, padding=1, groups=4), lambda: images(2, 8, 10, 10), 57_600, 2 * 57_600,
    ),
    "depthwise": (
        lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8), lambda: images(2, 8, 10, 10), 28_800, 2 * 28_800,
    ),
    "transposed": (
        lambda: nn.ConvTranspose2d(8, 4, 2, stride=2), lambda: images(2, 8, 5, 5), 12_800, 2 * 12_800,
    ),
    "transposed, grouped": (
        lambda: nn.ConvTranspose2d(8, 4, 2, stride=2, groups=4), lambda: images(2, 8, 5, 5), 3_200, 2 * 3_200,
    ),
    "linear": (lambda: nn.Linear(5, 7), lambda: images(3, 5), LINEAR, 2 * LINEAR),
    "bmm": (Product, lambda: images(2, 3, 4), 240, 480),
    "attention": (Attention, lambda: images(2, 3, 8, 4), ATTENTION, 5 * ATTENTION // 2),
    "attention with a mask": (
        lambda: Attention(torch.zeros(8, 8)), lambda: images(2, 3, 8, 4), ATTENTION, 5 * ATTENTION // 2,
    ),
    "LSTM": (Recurrent, lambda: images(5, 3, 4), LSTM, 2 * LSTM),
    "embedding": (lambda: nn.Embedding(9, 5), lambda: torch.arange(6), 0, 0),
    "shared": (Again, lambda: images(3, 5), 2 * 150, 4 * 150),
    "checkpointed": (Checkpointed, lambda: images(3, 5), LINEAR, 3 * LINEAR),
}  # fmt: skip
"""Model, input, and operations forward and backward. Backward of a product takes two: one for each factor's gradient.
Attention's takes five (it computes the scores again), a checkpoint's forward comes again."""


@pytest.mark.parametrize("name", CASES)
def test_operations_are_those_that_a_person_counts(name: str) -> None:
    model, x, forward, backward = CASES[name]
    by_owner = counted(model(), x())

    assert (total(by_owner, "forward"), total(by_owner, "backward")) == (forward, backward)


def test_nin_at_batch_8() -> None:
    """Totals of torch's FlopCounterMode on meta tensors (torch 2.14.1): leaves sum to them."""
    by_owner = work_of(build(Variant(batch_size=8), Inputs(), seed=0))

    assert total(by_owner, "forward") == 12_196_757_632
    assert total(by_owner, "backward") == 23_851_559_168


def test_each_layer_has_its_own_operations() -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2))
    by_owner = counted(model, torch.ones(3, 5))

    assert {owner: work.flops for owner, work in by_owner.items() if work.flops} == {
        ("0", "forward"): LINEAR, ("2", "forward"): 84, ("2", "backward"): 168, ("0", "backward"): LINEAR,
    }  # fmt: skip


def test_in_inference_autocast_counts_what_it_computes() -> None:
    model, counter = nn.LSTM(4, 6), Counter()
    with counter, torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        counter.enter(("0", "forward"))
        model(torch.ones(5, 3, 4))
    work = counter.work()["0", "forward"]

    assert work.flops == LSTM
    assert work.half_flops == LSTM


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_and_what_holds_operators_are_unknown() -> None:
    nested = torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)])
    assert counting(lambda: nested * 2).flops is None
    assert counting(lambda: torch.cond(torch.tensor(True), torch.sin, torch.cos, (torch.ones(3),))).flops is None


def test_half_precision_is_counted_apart() -> None:
    model, counter = nn.Linear(5, 7), Counter()
    with counter, stamped(model, counter), torch.autocast("cpu", dtype=torch.bfloat16):  # type: ignore[arg-type]
        counter.begin("forward")
        model(torch.ones(3, 5))

    work = counter.work()[".", "forward"]
    assert (work.flops, work.half_flops) == (LINEAR, LINEAR)


def test_a_complex_product_takes_four_times_the_operations() -> None:
    """(a + bi)(c + di) has four products of two real numbers, and with the sum four additions."""
    x, y = torch.ones(3, 4), torch.ones(4, 5)

    assert counting(lambda: x @ y).flops == 2 * 60
    assert counting(lambda: x.to(torch.complex64) @ y.to(torch.complex64)).flops == 8 * 60


def test_operators_of_another_library_leave_the_operations_unknown() -> None:
    @torch.library.custom_op("nin_bench_test::triple", mutates_args=())
    def triple(x: Tensor) -> Tensor:
        return 3 * x

    class Own(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return triple(x)  # type: ignore[no-any-return]

    with torch.no_grad():
        model, counter = nn.Sequential(Own()), Counter()
        with counter, stamped(model, counter):  # type: ignore[arg-type]
            model(torch.ones(4))
    work = counter.work()

    assert work["0", "forward"].flops is None
    assert {row.metric for row in samples_of(work).rows if row.layer == "0"} == {"least_bytes"}


def test_what_runs_outside_of_every_layer_is_the_row_between() -> None:
    rows = samples_of({("", "forward"): Work(flops=1), ("", "optimizer"): Work(flops=2)}).rows

    assert {(row.layer, row.phase): row.value for row in rows if row.metric == "flops"} == {
        (BETWEEN, "forward"): 1, ("", "optimizer"): 2,
    }  # fmt: skip
