"""Bytes that must move at least, against numbers that a person can count."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.measure.timing.layers import stamped
from bench.measure.work.counter import Counter
from tests.bench.measure.work.counting import FLOAT, counted, counting, images


def test_bytes_are_what_a_layer_reads_from_elsewhere_and_leaves_for_others() -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2))
    by_owner = counted(model, torch.ones(3, 5))
    weight_0, weight_2, x, hidden, y = 7 * 5 + 7, 2 * 7 + 2, 3 * 5, 3 * 7, 3 * 2

    assert by_owner["0", "forward"].least_bytes == FLOAT * (x + weight_0 + hidden)
    assert by_owner["1", "forward"].least_bytes == FLOAT * (hidden + hidden)
    assert by_owner["2", "forward"].least_bytes == FLOAT * (hidden + weight_2 + y)
    # ReLU's backward reads its own result and the gradient of it, and leaves the gradient of its input.
    assert by_owner["1", "backward"].least_bytes == FLOAT * 3 * hidden


def test_work_within_one_layer_alone_moves_nothing() -> None:
    class Chain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sin().cos().exp()

    with torch.no_grad():
        counter = Counter()
        model = nn.Sequential(Chain(), nn.Identity())
        with counter, stamped(model, counter):  # type: ignore[arg-type]
            counter.begin("forward")
            y = model(torch.ones(100))
            counter.begin("read")
            y.sum()

    assert counter.work()["0", "forward"].least_bytes == FLOAT * 200


def test_an_embedding_reads_only_the_rows_that_it_returns() -> None:
    by_owner = counted(nn.Sequential(nn.Embedding(1000, 5), nn.Tanh()), torch.arange(6))

    assert by_owner["0", "forward"].least_bytes == FLOAT * 2 * 6 * 5 + 8 * 6


TABLE, ROW = torch.ones(1000, 64), torch.ones(1, 64)
LEAST: dict[str, tuple[Callable[[], object], int]] = {
    "a fill reads nothing": (lambda: torch.empty(100).fill_(1), 100 * FLOAT),
    "a copy reads its source alone": (lambda: torch.empty(100).copy_(torch.ones(100)), 100 * FLOAT),
    "a result that nobody reads is written": (lambda: torch.ones(100), 100 * FLOAT),
    "one row of a table": (lambda: TABLE.index_copy_(0, torch.tensor([3]), ROW), 2 * 64 * FLOAT + 8),
    "a bag of rows": (
        lambda: F.embedding_bag(torch.arange(6), TABLE, torch.tensor([0, 3]), mode="sum"), 4 * 64 * FLOAT + 64,
    ),
    "two views of one half": (lambda: (TABLE[:500].sum(), TABLE[:500].view(-1).sum()), 500 * 64 * FLOAT + 8),
    "a whole table after one of its rows": (
        lambda: (TABLE.sum(), F.embedding(torch.arange(1), TABLE)), 64_000 * FLOAT + FLOAT + 64 * FLOAT + 8,
    ),
}  # fmt: skip
"""What some code moves, and the most that a lower bound may say."""


@pytest.mark.parametrize("name", LEAST)
def test_bytes_are_a_lower_bound(name: str) -> None:
    code, most = LEAST[name]

    assert 0 < counting(code).least_bytes <= most


def test_a_cache_of_which_one_row_is_new_is_read_whole() -> None:
    def code() -> Tensor:
        TABLE[3:4].copy_(ROW)
        return TABLE.sum()

    assert counting(code).least_bytes >= 1000 * 64 * FLOAT


def test_the_backward_of_a_pool_reads_no_input() -> None:
    by_owner = counted(nn.Sequential(nn.Tanh(), nn.MaxPool2d(2)), images(1, 1, 32, 32))

    # The gradient of 16x16 results, their places (8 bytes each), and the gradient of 32x32 inputs.
    assert by_owner["1", "backward"].least_bytes <= FLOAT * (256 + 1024) + 8 * 256


@pytest.mark.parametrize("more", [{"foreach": True}, {"foreach": False}, {"fused": True}])
def test_adam_reads_and_writes_weights_and_both_moments(more: dict[str, bool]) -> None:
    """In sizes of the parameters: four are read (the gradient too), and three are written."""
    model = nn.Linear(300, 300, bias=False)
    optimizer = torch.optim.Adam(model.parameters(), **more)  # type: ignore[arg-type]
    counter = Counter()
    for _ in range(2):
        model(torch.ones(1, 300)).sum().backward()
        optimizer.step()
    with counter:
        counter.begin("optimizer")
        optimizer.step()
        counter.begin("read")

    assert 7 <= counter.work()["", "optimizer"].least_bytes / (FLOAT * 300 * 300) < 7.01
