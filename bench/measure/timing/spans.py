"""Which nodes of autograd the own code of a module makes, and at which of them its backward begins.

Autograd numbers its nodes as it makes them, and of the nodes that can run, backward runs the one with the highest
number. So the nodes of a graph run from the last made to the first. A *span* is what the own code of a module makes
without a break: nodes with numbers in a row. They also run without a break, beginning at the last one that a gradient
reaches. That is one that made an output of the module or an input of a module within, or one that leads to such a node.
"""

from bisect import bisect
from collections.abc import Iterator
from typing import Any

from torch.autograd import _get_sequence_nr  # type: ignore[attr-defined] # torch names it nowhere else

from bench.core.traces import Owner
from bench.tasks.nest import tensors

Node = Any  # autograd's


class Frame:
    """A module whose forward is under way, or the code around all modules."""

    def __init__(self, path: str, before: Owner, *, ends: bool = True) -> None:
        """`ends` says whether anybody asks for the hidden nodes, once the forward is over."""
        self.path, self.before, self.ends = path, before, ends
        self._begun = _get_sequence_nr() if path else 0
        self._spans: list[range] = []
        self._hidden: set[range] = set()
        self._shown: set[Node] = set()

    def pause(self, values: object) -> list[Node]:
        """Ends a span: a module begins, or this one ends. Returns the nodes of the span that made one of the values.

        Which of them a gradient reaches shows only in backward. If none is the last of the span, that one is hidden.
        """
        # The nodes come first: autograd makes a new one when it is asked for that of a view changed in place.
        nodes = {x.grad_fn for x in tensors(values) if x.grad_fn is not None}
        span = range(self._begun, _get_sequence_nr())
        shown = [node for node in nodes if number(node) in span]
        if self.ends and span:
            self._spans.append(span)
            if span[-1] not in map(number, shown):
                self._hidden.add(span)
        if self.ends:
            self._shown |= {node for node in nodes if self._span_of(node)}
        return shown

    def resume(self) -> None:
        """Begins a span: the own code of the module goes on."""
        self._begun = _get_sequence_nr()

    def hidden(self) -> list[Node]:
        """The last node of each span whose last one was not shown, of the nodes that a gradient reaches.

        They are sought from the shown ones through nodes of the module's own. Nothing is kept after that.
        """
        last: dict[range, Node] = {}
        for node in self._reached() if self._hidden else ():
            span = self._span_of(node)
            if span in self._hidden and (span not in last or number(last[span]) < number(node)):
                last[span] = node
        self._spans, self._hidden, self._shown = [], set(), set()
        return list(last.values())

    def _reached(self) -> Iterator[Node]:
        """The module's own nodes that lead to a shown one."""
        seen, waiting = set(self._shown), list(self._shown)
        while waiting:
            node = waiting.pop()
            yield node
            new = {child for child, _ in node.next_functions if child is not None} - seen
            own = [child for child in new if self._span_of(child)]
            seen.update(own)
            waiting += own

    def _span_of(self, node: Node) -> range:
        """The span that a node belongs to; an empty one if it is not the module's own."""
        index = bisect(self._spans, number(node), key=lambda span: span.start) - 1
        span = self._spans[index] if index >= 0 else range(0)
        return span if number(node) in span else range(0)


def number(node: Node) -> int:
    """The number of a node in the order in which they were made; the largest there is for a parameter's."""
    return int(node._sequence_nr())  # noqa: SLF001 - torch has no other way to ask for it
