"""Forward and backward time of each module, for any model, by stamps at its borders.

A stamp says whose time begins (`clock.Timeline`). Time belongs to the innermost module whose code runs. In forward,
hooks before and after each module stamp. In backward, prehooks on nodes of autograd stamp: one wherever it reaches
another module's code, which is sought in the graph as backward begins (spans.py). So a module's backward runs until the
next border and includes the gradients of its parameters. What a checkpoint computes again in backward counts as its
layers' backward too. Module backward hooks would not do: they fire too early for the first layer and fail on in-place
layers (pytorch issues 100528 and 61519).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench.core.traces import Owner
from bench.measure.clock import Clock, Timeline
from bench.measure.leaves import tree
from bench.measure.timing.spans import Spans, each_backward

CALIBRATION_LAYERS = 50
CALIBRATION_PASSES = 20
QUEUED_STAMPS = 200
NOBODY: Owner = ("", "backward")
"""The owner of what runs in backward outside of every module."""
MARK = "nin-bench"
"""The key in the metadata of an autograd node that stamps already."""
SLOWEST_STAMP_S = 50e-6
"""The most that recording an event takes the host."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A module whose forward is under way."""

    path: str
    before: Owner
    """Whose time it was before."""


class Stamps:
    """The hooks of one step: they stamp the borders of its modules on a timeline.

    A checkpoint computes its layers again within the backward of some node. Each then stamps as its own backward.
    """

    def __init__(self, timeline: Timeline, leave: Callable[[], None] | None) -> None:
        self.timeline, self.leave = timeline, leave
        self.frames: list[Frame] = []
        self.spans = Spans()
        self.interrupted: Owner = NOBODY  # whose backward waits while layers are computed again
        self.tail: int | None = None  # the stamp after the last such layer: its time may be the interrupted's
        self.around: list[Owner] = []  # whose time it was before each backward that is under way

    def backward_begins(self, roots: list[Any]) -> None:
        """Have autograd stamp where this backward reaches another span of code; at each node if somebody leaves it.

        The node itself holds the mark: a set of nodes here would keep alive what a checkpoint computes again.
        """
        self.around.append(self.interrupted if self.tail is not None else self.timeline.owner or NOBODY)
        every = ((node, path) for node, _, path in self.spans.nodes(roots))
        for node, path in self.spans.borders(roots) if self.leave is None else every:
            if node.metadata.get(MARK) is not self:
                node.metadata[MARK] = self
                node.register_prehook(lambda _gradients, path=path: self.reach((path, "backward")))
                if self.leave is not None:
                    node.register_hook(lambda _outputs, _inputs: self.leave())

    def backward_ends(self) -> None:
        """Stamp, as what called backward goes on."""
        self.settle()
        self.timeline.enter(self.around.pop())

    def reach(self, owner: Owner) -> None:
        """Stamp, as autograd reaches a node of this owner."""
        self.settle()
        self.timeline.enter(owner)

    def settle(self) -> None:
        """Give the time since the tail to the interrupted node: nothing more is computed again."""
        if self.tail is not None:
            self.timeline.give(self.tail, self.interrupted)
            self.tail = None

    def before(self, path: str) -> None:
        """Stamp, as a module begins."""
        self.spans.begin(path)
        phase = "backward" if recomputes() else "forward"
        if phase == "backward" and not self.frames and self.tail is None:
            self.interrupted = self.timeline.owner
        self.tail = None
        self.frames.append(Frame(path, self.timeline.owner or ("", "forward")))
        self.timeline.enter((path, phase))

    def after(self, output: object) -> None:
        """Stamp, as a module ends. It has no output if its checkpoint stopped it, which by then had all it needed."""
        frame = self.frames.pop()
        self.spans.begin(self.frames[-1].path if self.frames else "")
        if not recomputes():
            self.timeline.enter(frame.before)
        elif self.frames:
            self.timeline.enter((self.frames[-1].path, "backward"))
        elif output is None:
            self.timeline.enter(self.interrupted)
        else:
            self.tail = self.timeline.stamps
            self.timeline.enter(NOBODY)


def recomputes() -> bool:
    """Whether this runs within autograd's backward, as a forward does that a checkpoint computes again."""
    return torch._C._current_graph_task_id() != -1  # noqa: SLF001 - torch.utils.checkpoint asks the same


@contextmanager
def stamped(model: nn.Module, timeline: Timeline, leave: Callable[[], None] | None = None) -> Iterator[None]:
    """Within, every forward and backward of the model stamps the borders of its modules.

    A module that passes its input on (a Dropout in eval mode, an Identity) has no backward of its own. The user's hooks
    on a module count as its time, so ours run before and after them.
    `leave`, if given, is called when the autograd node ends whose prehook stamped.
    """
    stamps, handles = Stamps(timeline, leave), []
    for path, module in tree(model).items():
        handles += [
            module.register_forward_pre_hook(lambda _m, _x, path=path: stamps.before(path), prepend=True),
            module.register_forward_hook(lambda _m, _x, y: stamps.after(y), always_call=True),
        ]
    try:
        with each_backward(stamps.backward_begins, stamps.backward_ends):
            yield
        stamps.settle()
    finally:
        for handle in handles:
            handle.remove()


def stamp_cost_s(clock: Clock, device: torch.device) -> float:
    """Host seconds that one stamp costs, its hook and prehook included.

    It is the difference between a chain of trivial layers with and without stamps, divided by the stamps; at least 0.
    The fastest of interleaved passes count, since a disturbance only adds time.
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
    """Device seconds that one stamp costs if stamps wait in a queue, as in a step behind a backlog."""
    timeline = Timeline(clock)
    clock.sync()
    clock.hold(QUEUED_STAMPS * SLOWEST_STAMP_S)
    for _ in range(QUEUED_STAMPS + 1):
        timeline.enter("")
    clock.sync()
    cost_s = timeline.wall_s() / QUEUED_STAMPS
    timeline.give_back()
    return cost_s
