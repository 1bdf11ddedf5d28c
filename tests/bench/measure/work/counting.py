"""How the tests of work count it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.measure.timing.layers import stamped
from bench.measure.work.counter import Counter, Work

FLOAT = 4
"""Bytes of a number."""


def counted(model: nn.Module, x: Tensor) -> dict[tuple[str, str], Work]:
    """The work of a model's forward and backward, by layer and phase."""
    counter = Counter()
    with counter, stamped(model, counter):  # type: ignore[arg-type]
        counter.begin("forward")
        loss = model(x).sum()
        counter.begin("backward")
        loss.backward()
        counter.begin("end")
    return counter.work()


def images(*shape: int) -> Tensor:
    """An input that wants a gradient."""
    return torch.ones(shape, requires_grad=True)


def counting(code: Callable[[], object]) -> Work:
    """The work of some code, whose result is alive after it."""
    counter = Counter()
    with counter, torch.no_grad():
        counter.enter(("0", "forward"))
        _result = code()
        counter.begin("read")
    return counter.work()["0", "forward"]
