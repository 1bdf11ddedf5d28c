"""Tensors are found and changed in any nest, and the nest itself stays what it was."""

from collections import UserDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from bench.tasks.nest import changed, tensors


class Pair(NamedTuple):
    x: Tensor
    y: int


@dataclass(frozen=True, slots=True)
class Record:
    x: Tensor
    name: str = "a"


class Plain:
    def __init__(self, x: Tensor) -> None:
        self.x, self.name = x, "a"


X = torch.ones(2)
NESTS = [
    X,
    (X, 1),
    [X, "a"],
    {"x": X, "n": 3},
    Pair(X, 2),
    Record(X),
    Plain(X),
    UserDict(x=X),
    {"deep": [(X, Record(X))]},
]


@pytest.mark.parametrize("nest", NESTS, ids=lambda nest: type(nest).__name__)
def test_each_tensor_is_changed_in_a_nest_of_the_same_type(nest: Any) -> None:  # noqa: ANN401
    other = changed(nest, lambda x: x + 1)

    assert type(other) is type(nest)
    assert {2.0} == {float(value) for x in tensors(other) for value in x}
    assert len(list(tensors(other))) == len(list(tensors(nest))) > 0
    assert {1.0} == {float(value) for x in tensors(nest) for value in x}


def test_what_is_no_tensor_stays_the_same() -> None:
    record = changed(Record(X, "b"), lambda x: x + 1)

    assert (record.name, changed(Pair(X, 7), torch.neg).y, changed("text", torch.neg)) == ("b", 7, "text")
