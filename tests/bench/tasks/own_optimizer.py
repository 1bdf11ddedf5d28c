"""A task with an optimizer of its own."""

from collections.abc import Iterator

import odd_tasks  # type: ignore[import-not-found]
from torch import nn, optim


class Own(odd_tasks.Plain):  # type: ignore[misc]
    def optimizer(self, parameters: Iterator[nn.Parameter]) -> optim.Optimizer:
        return optim.SGD(parameters, lr=0.1)


def make() -> Own:
    return Own()
