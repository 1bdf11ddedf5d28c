"""Whose time is it? Waits of known length are planted in tiny models, and compared with the rows that show them.

`python -m benchmarks.attribution` measures every case in real time and prints a table. The tests run the same cases on
a clock that only the waits move, so each row is exact there.
"""

import statistics
import time
from contextlib import nullcontext

import torch
from torch import nn

from bench.core.traces import BETWEEN, Owner
from bench.measure.clock import Clock, HostClock, Timeline
from bench.measure.timing.layers import stamped
from benchmarks.planted import CASES, SHAPE, Case, Plant

PHASES = ("forward", "backward")
PAIRS = 15
WORK_S, PLANTED_S = 0.001, 0.020


def step_of(model: nn.Module, clock: Clock, *, stamps: bool = True) -> dict[Owner, float]:
    """Seconds by row of a forward and a backward; without stamps, all of it in one row."""
    x = torch.ones(SHAPE, requires_grad=True)
    timeline = Timeline(clock)
    with stamped(model, timeline) if stamps else nullcontext():
        timeline.enter(("", "forward"))
        y = model(x)
        if stamps:
            timeline.enter(("", "backward"))
        y.sum().backward()
        timeline.enter(("", "end"))
    return {(layer or BETWEEN, phase): seconds for (layer, phase), seconds in timeline.seconds().items()}


def measured(case: Case, phase: str, pairs: int = PAIRS) -> tuple[float, float, float]:
    """Seconds by which the planted row moved, the most by which another row moved wrongly, and the closure.

    They are medians of interleaved pairs. The closure is the sum of the rows over the same step without stamps.
    """
    plant, clock = Plant(spin), HostClock()
    model, planted = case.net(plant), (case.spot, phase)
    work_s = {(spot, p): WORK_S for spot in case.spots() for p in PHASES}
    slow_s = work_s | {planted: WORK_S + PLANTED_S / case.calls.get(case.spot, 1)}
    plain_s, slowed_s = case.expected(work_s), case.expected(slow_s)
    moves: dict[Owner, list[float]] = {}
    closures = []
    for _ in range(pairs):
        with case.around():
            plant.delays_s = work_s
            plain = step_of(model, clock)
            plant.delays_s = slow_s
            slowed = step_of(model, clock)
            whole_s = sum(step_of(model, clock, stamps=False).values())
        for row in plain:
            moves.setdefault(row, []).append(slowed[row] - plain[row])
        closures.append(sum(slowed.values()) / whole_s)
    moved = {row: statistics.median(values) for row, values in moves.items()}
    wrong = {row: abs(s - slowed_s.get(row, 0.0) + plain_s.get(row, 0.0)) for row, s in moved.items() if row != planted}
    return moved[planted], max(wrong.values()), statistics.median(closures)


def spin(seconds: float) -> None:
    """Wait without yielding the core."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def main() -> None:
    """Measure every case and print the table."""
    torch.set_num_threads(1)
    print("| case | row | planted ms | read ms | largest wrong move of another ms | closure |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for phase in PHASES:
            if phase == "backward" and case.spot in case.forward_only:
                continue
            read_s, other_s, closure = measured(case, phase)
            cells = " | ".join(f"{1e3 * seconds:.2f}" for seconds in (PLANTED_S, read_s, other_s))
            print(f"| {case.name} | `{case.spot}` {phase} | {cells} | {closure:.3f} |", flush=True)


if __name__ == "__main__":
    main()
