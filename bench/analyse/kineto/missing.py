"""What a trace does not hold, and which option of torch.profiler records it."""

from enum import StrEnum

import numpy as np

from bench.analyse.kineto.reading.events import DEVICE_WORK, MODULE, Category, Trace


class Missing(StrEnum):
    """What a trace may lack."""

    STEPS = "steps"
    DEVICE = "device"
    SHAPES = "shapes"
    STACKS = "stacks"
    MODULES = "modules"
    MEMORY = "memory"


def missing(trace: Trace) -> list[Missing]:
    """What the trace lacks."""
    events = trace.events
    holds = {
        Missing.STEPS: bool((events.category == Category.STEP).any()),
        Missing.DEVICE: bool(np.isin(events.category, DEVICE_WORK).any()),
        Missing.SHAPES: bool(events.shapes),
        Missing.STACKS: trace.has_call_stacks,
        Missing.MODULES: bool(events.hierarchies) or any(name.startswith(MODULE) for name in events.names),
        Missing.MEMORY: len(events.allocations) > 0,
    }
    return [what for what, is_held in holds.items() if not is_held]
