"""Autograd runs the last made nodes first, and a span of a module's own code begins at its last node."""

from typing import Any

import torch
from torch import Tensor

from bench.measure.timing.spans import Frame, number


def graph(root: Tensor) -> list[Any]:
    """The nodes that lead to a tensor, without those of parameters."""
    seen, waiting = set(), [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen and "AccumulateGrad" not in type(node).__name__:
            seen.add(node)
            waiting += [child for child, _ in node.next_functions]
    return list(seen)


def inputs() -> Tensor:
    """A tensor with a gradient."""
    return torch.ones(4, requires_grad=True)


def test_backward_runs_nodes_from_the_last_made_to_the_first() -> None:
    """What spans rest on; a graph whose branches join and part."""
    x = inputs()
    early = x.sin()
    one = early.cos().exp()
    two = (one * early).tanh()
    result = (two + early.sigmoid() * one).sum()
    order: list[int] = []
    nodes = graph(result)
    for node in nodes:
        node.register_prehook(lambda _gradients, node=node: order.append(number(node)))

    result.backward()

    assert order == sorted(map(number, nodes), reverse=True)


def test_the_last_node_of_a_span_is_shown_by_the_value_that_it_made() -> None:
    before = inputs().sin()
    frame = Frame("layer", None)  # type: ignore[arg-type]
    y = before.cos().exp()

    assert frame.pause((before, y)) == [y.grad_fn]
    assert frame.hidden() == []


def test_a_span_that_made_none_of_the_values_shows_nothing() -> None:
    before = inputs().sin()
    frame = Frame("layer", None)  # type: ignore[arg-type]

    assert frame.pause(before) == []
    assert frame.hidden() == []


def test_what_passes_by_a_module_is_found_from_what_came_after() -> None:
    x = inputs()
    frame = Frame("block", None)  # type: ignore[arg-type]
    aside = (x.cos() + x.sin()).exp()
    assert frame.pause(x) == []  # a module within begins, with an input from elsewhere
    within = x.tanh()
    frame.resume()
    y = aside * within

    assert frame.pause(y) == [y.grad_fn]
    assert frame.hidden() == [aside.grad_fn]


def test_code_that_no_gradient_reaches_has_no_border() -> None:
    x = inputs()
    frame = Frame("block", None)  # type: ignore[arg-type]
    used = x.cos()
    _unused = used.exp().sin()
    assert frame.pause(used) == [used.grad_fn]
    frame.resume()
    y = used * 2

    assert frame.pause(y) == [y.grad_fn]
    assert frame.hidden() == [used.grad_fn]


def test_a_view_that_was_changed_in_place_is_shown() -> None:
    """Autograd makes the node of such a view as it is asked for."""
    frame = Frame("layer", None)  # type: ignore[arg-type]
    y = inputs().clone()
    view = y[:2]
    y.mul_(2)

    [node] = frame.pause(view)
    assert node is view.grad_fn
