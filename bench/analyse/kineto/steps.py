"""How long each step took, and what was going on in it, each instant counted once."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from bench.analyse.kineto import nesting
from bench.analyse.kineto.links import Launched
from bench.analyse.kineto.reading.events import STEP, UNKNOWN, Category, Events, Integers

WHOLE = "whole trace"
"""The name of the one step of a trace that marks none."""
LOADERS = ("enumerate(DataLoader)#", "enumerate(DataPipe)#")
COLLECTIVES = ("nccl:", "gloo:", "mpi:", "ucc:", "xccl:", "hccl:", "c10d::")
"""How the names of operators and annotations of collectives begin."""
DEVICE_COLLECTIVES = ("nccl", "rccl", "oneccl", "hccl")
"""How the names of their kernels begin, in small letters."""


class Part(StrEnum):
    """What a step's time goes to, in order: an instant belongs to the first of those that are under way.

    The order is that of the overview of torch-tb-profiler, the plugin of TensorBoard.
    """

    KERNEL = "kernel"
    COPY = "memcpy"
    SET = "memset"
    COMMUNICATION = "communication"
    RUNTIME = "runtime"
    LOADER = "loader"
    OPERATOR = "CPU operators"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The steps of a trace in their order. Arrays have a value a step."""

    names: list[str]
    begin_ns: Integers
    end_ns: Integers
    parts: dict[Part, Integers]
    """Nanoseconds of each part; only of those of which the trace has an event, and of `other`."""
    are_marked: bool
    """Whether the trace marks steps; else the whole of it is one."""

    @property
    def duration_ns(self) -> Integers:
        """How long each took."""
        return self.end_ns - self.begin_ns

    @property
    def frame(self) -> pd.DataFrame:
        """A row a step: step, begin_s since the trace began, step_s, and the seconds of each part."""
        columns = {"step": self.names, "begin_s": self.begin_ns / 1e9, "step_s": self.duration_ns / 1e9}
        return pd.DataFrame(columns | {f"{column(part)}_s": self.parts[part] / 1e9 for part in self.parts})


def column(part: Part) -> str:
    """A part's name as that of a column."""
    return part.lower().replace(" ", "_")


def steps(events: Events, work: Launched) -> Steps:
    """The steps and their parts.

    On a device a step ends with the last work that it launched, and the next one begins then: the host runs ahead.
    """
    marked = events.of(Category.STEP)
    marked = marked[np.argsort(events.begin_ns[marked], kind="stable")]
    if len(marked):
        names = [name.removeprefix(STEP) for name in events.named(marked)]
        begin, end = with_device(events, work, events.begin_ns[marked], events.end_ns[marked])
    else:
        names, (begin, end) = [WHOLE], whole(events)
    kinds = kinds_of(events)
    return Steps(
        names=names,
        begin_ns=begin,
        end_ns=end,
        parts=parts(events, kinds, begin, end),
        are_marked=bool(len(marked)),
    )


def whole(events: Events) -> tuple[Integers, Integers]:
    """The begin and end of all that is of a known category."""
    known = np.flatnonzero(events.category != Category.OTHER)
    known = known if len(known) else np.arange(len(events.category))
    return events.begin_ns[known].min(keepdims=True), events.end_ns[known].max(keepdims=True)


def with_device(events: Events, work: Launched, begin: Integers, end: Integers) -> tuple[Integers, Integers]:
    """The begins and ends of steps with the device's work that each launched."""
    known = work.launch != UNKNOWN
    owner = np.searchsorted(begin, events.begin_ns[work.launch[known]], side="right") - 1
    inside = (owner >= 0) & (events.begin_ns[work.launch[known]] < end[owner])
    reached = end.copy()
    np.maximum.at(reached, owner[inside], events.end_ns[work.event[known][inside]])
    reached = np.maximum.accumulate(reached)
    return np.maximum(begin, np.r_[begin[:1], reached[:-1]]), reached


def kinds_of(events: Events) -> dict[Part, Integers]:
    """The events of each part, in the order of `Part`."""
    names = pd.Series(events.names, dtype=object)
    small = names.str.lower()
    is_loader = names.str.startswith(LOADERS).to_numpy(bool)[events.name]
    is_collective = names.str.startswith(COLLECTIVES).to_numpy(bool)[events.name]
    on_device = (events.category == Category.KERNEL) & small.str.startswith(DEVICE_COLLECTIVES).to_numpy(bool)[
        events.name
    ]
    on_host = np.isin(events.category, (Category.OPERATOR, Category.ANNOTATION))
    # Where kernels communicate, the host only launches them.
    talks = on_device if on_device.any() else on_host & is_collective
    chosen = {
        Part.KERNEL: (events.category == Category.KERNEL) & ~on_device,
        Part.COPY: events.category == Category.COPY,
        Part.SET: events.category == Category.SET,
        Part.COMMUNICATION: talks,
        Part.RUNTIME: events.category == Category.RUNTIME,
        Part.LOADER: on_host & is_loader,
        Part.OPERATOR: (events.category == Category.OPERATOR) & ~talks & ~is_loader,
    }
    return {part: np.flatnonzero(events_of) for part, events_of in chosen.items()}


def parts(events: Events, kinds: dict[Part, Integers], begin: Integers, end: Integers) -> dict[Part, Integers]:
    """Nanoseconds of each part in each window; they add up to the window."""
    found: dict[Part, Integers] = {}
    taken = np.zeros(len(begin), dtype=np.int64)
    chosen = np.array([], dtype=np.int64)
    for part, of_part in kinds.items():
        if len(of_part):
            chosen = np.concatenate([chosen, of_part])
            so_far = nesting.covered(nesting.merged(events.begin_ns[chosen], events.end_ns[chosen]), begin, end)
            found[part], taken = so_far - taken, so_far
    return found | {Part.OTHER: end - begin - taken}


def mean_s(steps_found: Steps) -> float:
    """Mean duration of a step in seconds."""
    return float(steps_found.duration_ns.mean()) / 1e9 if len(steps_found.names) else math.nan
