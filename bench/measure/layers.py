"""Forward and backward time of each leaf module, for any model, by stamps at its borders.

A stamp says whose time begins (`clock.Timeline`). Forward: hooks before and behind each leaf.
Backward: autograd calls a prehook on the node that made a leaf's output as that leaf's backward
begins, and a prehook on the node that made its input, where no leaf made it, as functional code
between leaves begins. So a leaf's backward runs until the next border and includes the gradients of
its parameters. Module backward hooks would not do: they fire too early for the first layer and fail
on in-place layers (pytorch issues 100528 and 61519).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from bench.measure.clock import Clock, Timeline
from bench.traces import Owner

CALIBRATION_LAYERS = 50
CALIBRATION_PASSES = 20
QUEUED_STAMPS = 200
SLOWEST_STAMP_S = 50e-6
"""What recording an event takes the host at most."""


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The leaf modules by attribute path, each once; a model without children is its own leaf, `.`."""
    return {path or ".": module for path, module in model.named_modules() if not any(module.children())}


def block_of(path: str) -> str:
    """The top-level child that holds a leaf."""
    return path.partition(".")[0] or path


def tensors(value: object) -> Iterator[torch.Tensor]:
    """The tensors in a module's input or output, through tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


@contextmanager
def stamped(model: nn.Module, timeline: Timeline, leave: Callable[[], None] | None = None) -> Iterator[None]:
    """Within, every forward and backward of the model stamps the borders of its leaves.

    A leaf that hands its input on (a Dropout in eval mode, an Identity) has no backward of its own.
    `leave`, where given, is called as the node of autograd's ends whose prehook stamped.
    """
    known: set[object] = set()  # nodes with a prehook: a node's Python object lives while it is held
    made_input: set[object] = set()  # of the leaf under way, before an in-place layer replaces them

    def begin(node: object, owner: Owner) -> None:
        known.add(node)
        node.register_prehook(lambda _gradients: timeline.enter(owner))  # type: ignore[attr-defined] # autograd's Node
        if leave is not None:
            node.register_hook(lambda _outputs, _inputs: leave())  # type: ignore[attr-defined]

    def before(path: str, inputs: tuple[object, ...]) -> None:
        made_input.clear()
        made_input.update(x.grad_fn for x in tensors(inputs) if x.grad_fn is not None)
        for node in made_input - known:
            begin(node, ("", "backward"))
        timeline.enter((path, "forward"))

    def behind(path: str, output: object) -> None:
        timeline.enter(("", "forward"))
        for y in tensors(output):
            if y.grad_fn is not None and y.grad_fn not in made_input:
                begin(y.grad_fn, (path, "backward"))

    handles = []
    for path, leaf in leaves(model).items():
        handles.append(leaf.register_forward_pre_hook(lambda _m, x, path=path: before(path, x)))
        handles.append(leaf.register_forward_hook(lambda _m, _x, y, path=path: behind(path, y)))
    try:
        yield
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
    return timeline.wall_s() / QUEUED_STAMPS
