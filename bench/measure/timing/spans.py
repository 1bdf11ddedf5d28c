"""Whose code made each node of autograd, and at which nodes the backward of a module's code begins.

Autograd numbers its nodes as it makes them, thread by thread, and of the nodes that can run, backward runs the one with
the highest number. So the nodes of a graph run from the last made to the first, and what a module made in a row also
runs in a row.
"""

import threading
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd import _get_sequence_nr  # type: ignore[attr-defined] # torch names it nowhere else

Node = Any  # autograd's
OF_PARAMETER = 2**63
"""The nodes that add up a parameter's gradient have higher numbers than this. They run at once."""


class Spans:
    """Which numbers belong to which module's own code, in each thread."""

    def __init__(self) -> None:
        self._begun: dict[int, list[int]] = defaultdict(lambda: [0])
        self._paths: dict[int, list[str]] = defaultdict(lambda: [""])

    def begin(self, path: str) -> None:
        """From now on the code of a module runs; an empty path is the code around all modules."""
        thread = threading.get_ident()
        self._begun[thread].append(_get_sequence_nr())
        self._paths[thread].append(path)

    def nodes(self, roots: Iterable[Node]) -> Iterator[tuple[Node, int, str]]:
        """The nodes that backward runs if it begins at some roots, in its order, each with its span and module."""
        thread = threading.get_ident()
        begun, paths = self._begun[thread], self._paths[thread]
        for node in sorted(reached(roots), key=number, reverse=True):
            span = bisect(begun, number(node)) - 1
            yield node, span, paths[span]

    def borders(self, roots: Iterable[Node]) -> Iterator[tuple[Node, str]]:
        """The first of these nodes of each span, and the module that made it."""
        before = None
        for node, span, path in self.nodes(roots):
            if span != before:
                yield node, path
            before = span


def reached(roots: Iterable[Node]) -> set[Node]:
    """The nodes that backward runs if it begins at some roots, without those of parameters."""
    seen = {root for root in roots if number(root) < OF_PARAMETER}
    waiting = list(seen)
    while waiting:
        for child, _ in waiting.pop().next_functions:
            if child is not None and child not in seen and number(child) < OF_PARAMETER:
                seen.add(child)
                waiting.append(child)
    return seen


def number(node: Node) -> int:
    """The number of a node in the order in which its thread made them."""
    return int(node._sequence_nr())  # noqa: SLF001 - torch has no other way to ask for it


@contextmanager
def each_backward(begins: Callable[[list[Node]], None], ends: Callable[[], None]) -> Iterator[None]:
    """Within, `begins` is called with the roots of each backward before it runs, and `ends` after it.

    Both `backward` and `torch.autograd.grad` go through one function of torch's.
    """
    autograd: Any = torch.autograd
    honest = autograd._engine_run_backward  # noqa: SLF001 - torch replaces it in the same way (torch.compiler)

    def observed(outputs: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401
        made_by = [x.grad_fn if isinstance(x, torch.Tensor) else x.node for x in outputs]
        begins([node for node in made_by if node is not None])
        try:
            return honest(outputs, *args, **more)
        finally:
            ends()

    autograd._engine_run_backward = observed  # noqa: SLF001
    try:
        yield
    finally:
        autograd._engine_run_backward = honest  # noqa: SLF001
