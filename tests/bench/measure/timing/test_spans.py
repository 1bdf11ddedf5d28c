"""Autograd runs the last made nodes first, and a span of a module's own code begins at its last node."""

from typing import Any

import torch
from torch import Tensor

from bench.measure.timing.spans import Spans, each_backward, number


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


def shown(spans: Spans, root: Tensor) -> list[tuple[Any, str]]:
    """The borders of a backward from a tensor."""
    return list(spans.borders([root.grad_fn]))


def test_a_border_is_the_last_made_node_of_each_span() -> None:
    spans, x = Spans(), inputs()
    before = x.sin().cos()
    spans.begin("layer")
    y = before.exp().tanh()
    spans.begin("")
    root = y.sum()

    assert shown(spans, root) == [(root.grad_fn, ""), (y.grad_fn, "layer"), (before.grad_fn, "")]


def test_what_passes_by_a_module_is_its_maker_s() -> None:
    spans, x = Spans(), inputs()
    spans.begin("block")
    aside = (x.cos() + x.sin()).exp()
    spans.begin("block.within")
    within = x.tanh()
    spans.begin("block")
    root = aside * within

    assert shown(spans, root) == [
        (root.grad_fn, "block"), (within.grad_fn, "block.within"), (aside.grad_fn, "block"),
    ]  # fmt: skip


def test_code_that_no_gradient_reaches_has_no_border() -> None:
    spans, x = Spans(), inputs()
    spans.begin("block")
    used = x.cos()
    _unused = used.exp().sin()
    spans.begin("")
    root = used * 2

    assert shown(spans, root) == [(root.grad_fn, ""), (used.grad_fn, "block")]


def test_nodes_of_parameters_belong_to_whatever_runs() -> None:
    spans, layer = Spans(), torch.nn.Linear(2, 2)
    spans.begin("layer")
    y = layer(torch.ones(1, 2))

    assert [path for _, path in shown(spans, y)] == ["layer"]


def test_each_backward_is_seen_as_it_begins_and_ends() -> None:
    seen: list[object] = []
    honest = torch.autograd._engine_run_backward  # type: ignore[attr-defined]
    x = inputs()
    with each_backward(seen.append, lambda: seen.append("end")):
        y = x.sin().sum()
        [gradient] = torch.autograd.grad(y, x, create_graph=True)
        z = gradient.sum()
        z.backward()

    assert seen == [[y.grad_fn], "end", [z.grad_fn], "end"]
    assert torch.autograd._engine_run_backward is honest  # type: ignore[attr-defined]


def test_a_backward_from_a_tensor_that_nothing_made_has_no_border() -> None:
    seen: list[object] = []
    x = inputs()
    with each_backward(seen.append, lambda: None):
        x.sum().backward()
        torch.ones((), requires_grad=True).backward()

    assert seen[1] == []
    edge = torch.autograd.graph.get_gradient_edge(x)
    assert list(Spans().borders([edge.node])) == []
