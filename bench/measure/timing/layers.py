"""Forward and backward time of each leaf module, for any model, by stamps at its borders.

A stamp says whose time begins (`clock.Timeline`). Forward: hooks before and behind each leaf.
Backward: autograd calls a prehook on the node that made a leaf's output as that leaf's backward
begins, and a prehook on the node that made its input, where no leaf made it, as functional code
between leaves begins. So a leaf's backward runs until the next border and includes the gradients of
its parameters. What a checkpoint computes anew in backward is its layers' backward too. Module backward
hooks would not do: they fire too early for the first layer and fail on in-place layers (pytorch issues
100528 and 61519).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from bench.core.traces import Owner
from bench.measure.clock import Clock, Timeline
from bench.measure.leaves import leaves, tensors

CALIBRATION_LAYERS = 50
CALIBRATION_PASSES = 20
QUEUED_STAMPS = 200
NOBODY: Owner = ("", "backward")
"""What runs in backward outside of every leaf."""
MARK = "nin-bench"
"""Of a node of autograd's that stamps already."""
SLOWEST_STAMP_S = 50e-6
"""What recording an event takes the host at most."""


class Stamps:
    """The hooks of one step: they stamp the borders of its leaves on a timeline.

    A checkpoint computes its layers anew within the backward of some node; then each stamps as its own backward.
    """

    def __init__(self, timeline: Timeline, leave: Callable[[], None] | None) -> None:
        self.timeline, self.leave = timeline, leave
        self.made_input: set[object] = set()  # of the leaf under way, before an in-place layer replaces them
        self.interrupted: Owner = NOBODY  # whose backward waits for what is computed anew
        self.tail: int | None = None  # the stamp behind the last leaf that was: what follows may be the interrupted's

    def watch(self, node: Any, owner: Owner) -> None:  # noqa: ANN401 - autograd's
        """Stamp where autograd comes to a node, for the first owner that asks.

        The mark lies with the node: holding nodes would keep alive what a checkpoint computes anew.
        """
        if node.metadata.get(MARK) is not self:
            node.metadata[MARK] = self
            node.register_prehook(lambda _gradients: self.reach(owner))
            if self.leave is not None:
                node.register_hook(lambda _outputs, _inputs: self.leave())

    def reach(self, owner: Owner) -> None:
        """Autograd comes to a node."""
        self.settle()
        self.timeline.enter(owner)

    def settle(self) -> None:
        """Nothing more is computed anew: what ran since was the interrupted node's own backward."""
        if self.tail is not None:
            self.timeline.give(self.tail, self.interrupted)
            self.tail = None

    def before(self, path: str, inputs: object) -> None:
        """A leaf begins."""
        self.made_input = {x.grad_fn for x in tensors(inputs) if x.grad_fn is not None}
        for node in self.made_input:
            self.watch(node, NOBODY)
        phase = "backward" if computed_anew() else "forward"
        if phase == "backward" and self.tail is None:
            self.interrupted = self.timeline.owner
        self.tail = None
        self.timeline.enter((path, phase))

    def behind(self, path: str, output: object) -> None:
        """A leaf has ended; without an output where its checkpoint stopped it, having all that it needs."""
        if not computed_anew():
            self.timeline.enter(("", "forward"))
        elif output is None:
            self.timeline.enter(self.interrupted)
        else:
            self.tail = self.timeline.stamps
            self.timeline.enter(NOBODY)
        for y in tensors(output):
            if y.grad_fn is not None and y.grad_fn not in self.made_input:
                self.watch(y.grad_fn, (path, "backward"))
        self.made_input = set()


def computed_anew() -> bool:
    """Whether what runs now runs within autograd's backward, as the forward of a checkpoint does there."""
    return torch._C._current_graph_task_id() != -1  # noqa: SLF001 - torch.utils.checkpoint asks so too


@contextmanager
def stamped(model: nn.Module, timeline: Timeline, leave: Callable[[], None] | None = None) -> Iterator[None]:
    """Within, every forward and backward of the model stamps the borders of its leaves.

    A leaf that hands its input on (a Dropout in eval mode, an Identity) has no backward of its own. What hooks of the
    user's do to a leaf is the leaf's, so ours stand around them.
    `leave`, where given, is called as the node of autograd's ends whose prehook stamped.
    """
    stamps, handles = Stamps(timeline, leave), []
    for path, leaf in leaves(model).items():
        handles += [
            leaf.register_forward_pre_hook(
                lambda _m, x, more, path=path: stamps.before(path, (*x, *more.values())),
                prepend=True,
                with_kwargs=True,
            ),
            leaf.register_forward_hook(lambda _m, _x, y, path=path: stamps.behind(path, y), always_call=True),
        ]
    try:
        yield
        stamps.settle()
    finally:
        for handle in handles:
            handle.remove()


def stamp_cost_s(clock: Clock, device: torch.device) -> float:
    """Host seconds that one stamp costs, its hook and prehook included.

    The difference between a chain of trivial layers with and without stamps, over the stamps, by
    the fastest of interleaved passes (what disturbs a pass only adds to it); at least 0.
    """
    chain = nn.Sequential(*(nn.Softsign() for _ in range(CALIBRATION_LAYERS))).to(device)
    x = torch.ones(1, device=device, requires_grad=True)

    def pass_s() -> float:
        start = time.perf_counter()
        chain(x).backward()
        clock.sync()
        return time.perf_counter() - start

    plain, with_stamps, stamps = [], [], 1
    for _ in range(CALIBRATION_PASSES):
        plain.append(pass_s())
        timeline = Timeline(clock)
        with stamped(chain, timeline):
            with_stamps.append(pass_s())
        stamps = max(stamps, timeline.stamps)
    return max(0.0, min(with_stamps) - min(plain)) / stamps


def queued_stamp_cost_s(clock: Clock) -> float:
    """Device seconds that one stamp costs where stamps wait in a queue, as those of steps behind a backlog do."""
    timeline = Timeline(clock)
    clock.sync()
    clock.hold(QUEUED_STAMPS * SLOWEST_STAMP_S)
    for _ in range(QUEUED_STAMPS + 1):
        timeline.enter("")
    clock.sync()
    cost_s = timeline.wall_s() / QUEUED_STAMPS
    timeline.give_back()
    return cost_s
