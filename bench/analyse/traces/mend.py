"""A trace as torch-tb-profiler understands it: a copy that uses the plugin's names in place of torch's newer ones.

The plugin (0.4.3, no longer maintained) knows CUDA's calls as `runtime`, while torch writes `cuda_runtime` and
`cuda_driver`. So it links no kernel to the operator that launched it: every device time is 0, Tensor Cores are never
eligible, and it never advises mixed precision. It drops ranges that are `user_annotation`, so the loader takes no time
and the optimizer is missing. It numbers modules by class; the copy gives them their path.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec

from bench.core.traces import LAYER, owner_of, range_name

Json = dict[str, Any]
"""A JSON object: a trace, or one event of it."""
Event = Json

Microseconds = Annotated[float, msgspec.Meta(ge=-1e18, le=1e18)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
Integer = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Arguments = TypedDict(
    "Arguments",
    {
        "Bytes": Integer, "Device Type": Integer, "Device Id": Integer, "correlation": Integer,
        "External id": Integer | str, "Python id": Integer | None, "Python parent id": Integer | None,
        "Python module id": Integer | None, "device": Integer | str, "stream": Integer | str,
    },
    total=False,
)  # fmt: skip
"""The arguments of an event that are read; an event may have others."""


class Shape(TypedDict, total=False):
    """The keys of an event that are read; an event may have others."""

    ph: str
    cat: str
    name: str
    ts: Microseconds
    dur: Duration
    pid: Integer | str
    tid: Integer | str
    args: Arguments


class TraceShape(TypedDict):
    """What a trace must hold."""

    traceEvents: list[Shape]


FILE = "nin-bench.pt.trace.json.gz"
"""The plugin takes files with this ending, and calls the worker by what stands before it."""
CATEGORIES = {"cuda_runtime": "Runtime", "cuda_driver": "Runtime"}
TIMED = {"user_annotation", "cpu_op", "kernel", "gpu_memcpy", "gpu_memset", "python_function", *CATEGORIES}
"""Categories whose events have a begin and a duration; so does every event of `ph` X."""
WHOLE = {"ph", "name", "ts", "dur", "pid", "tid", "args"}
"""The keys of such an event."""
DATA = range_name(("", "data"))
LOADER = "enumerate(DataLoader)#batch.__next__"
"""The plugin's name for the wait for data."""
STEP = "ProfilerStep#"
MODULE = "nn.Module: "


ALLOCATION = "[memory]"
"""The name of an event of the allocator."""


class MendError(Exception):
    """The copy does not add up to the trace; the text says in what."""


def write(raw: Path, target: Path) -> None:
    """Write the mended copy of a trace. Raises MendError, and writes nothing, if the two do not add up to the same."""
    trace = read(raw)
    events = trace["traceEvents"]
    fresh = mended(events)
    if wrong := difference(events, fresh):
        msg = f"{raw}: the copy for TensorBoard does not add up to the trace: {wrong}"
        raise MendError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(target, "wt", encoding="utf-8", compresslevel=1) as file:
        json.dump(trace | {"traceEvents": fresh}, file)


def read(path: Path) -> Json:
    """A trace whose events have the types that are read. Raises ValueError or OSError if the file is not one."""
    try:
        with gzip.open(path, "rb") as file:
            trace: Json = msgspec.json.decode(file.read())
        msgspec.convert(trace, TraceShape)
        for number, event in enumerate(trace["traceEvents"]):
            timed = event.get("cat") in TIMED or event.get("ph") == "X"
            if timed and (missing := sorted(WHOLE - set(event))):
                msg = f"event {number}: found no {missing[0]}, expected one"
                raise ValueError(msg)
            if event.get("name") == ALLOCATION and not ("ts" in event and "Bytes" in event.get("args", {})):
                msg = f"event {number}: an allocation needs a ts and its Bytes"
                raise ValueError(msg)
    except (msgspec.MsgspecError, EOFError, zlib.error, RecursionError) as error:
        raise ValueError(str(error)) from error
    return trace


def mended(events: list[Event]) -> list[Event]:
    """The events with the categories and names that the plugin looks for; all else is unchanged."""
    paths = module_paths(events)
    return [_mended(event, paths) for event in events]


def _mended(event: Event, paths: dict[str, str]) -> Event:
    category, name = event.get("cat"), str(event.get("name", ""))
    if category in CATEGORIES:
        return event | {"cat": CATEGORIES[category]}
    if category == "user_annotation" and not name.startswith(STEP):
        if name == DATA:
            return event | {"cat": "cpu_op", "name": LOADER}
        return event if owner_of(name) else event | {"cat": "cpu_op"}
    if name in paths:
        kind = name.removeprefix(MODULE).rpartition("_")[0]
        return event | {"name": f"{MODULE}{paths[name]} {kind}" if paths[name] else f"{MODULE}{kind}"}
    return event


def module_paths(events: list[Event]) -> dict[str, str]:
    """The path of each module by the profiler's name for it, `nn.Module: Conv2d_3`; empty for the model itself.

    A leaf has the path of the range that opens within it, a parent what its children's paths have in common.
    """
    children: dict[str, set[str]] = {}
    paths: dict[str, str] = {}
    open_modules: list[tuple[float, str]] = []  # end and name of each call that is under way
    for start, end, name in sorted(_calls(events), key=lambda call: (call[0], -call[1])):
        while open_modules and open_modules[-1][0] <= start:
            open_modules.pop()
        parent = open_modules[-1][1] if open_modules else ""
        if name.startswith(MODULE):
            children.setdefault(name, set())
            if name != parent:
                children.setdefault(parent, set()).add(name)
            open_modules.append((end, name))
        elif parent and (owner := owner_of(name)):
            paths.setdefault(parent, owner[0])

    def path_of(name: str) -> str:
        if name not in paths:
            paths[name] = ""  # so that it ends even if a damaged trace has modules that contain each other
            below = [path_of(child).split(".") for child in children[name]]
            common = [p[0] for p in zip(*below, strict=False) if len(set(p)) == 1]
            paths[name] = ".".join(common[:-1] if common in below else common)
        return paths[name]

    return {name: path_of(name) for name in children if name}


def _calls(events: list[Event]) -> Iterator[tuple[float, float, str]]:
    """Start and end in microseconds, and name, of the calls of modules and of the layers' ranges in forward."""
    for event in events:
        name = str(event.get("name", ""))
        is_leaf = event.get("cat") == "user_annotation" and name.startswith(LAYER) and name.endswith(" forward")
        if event.get("ph") == "X" and (is_leaf or name.startswith(MODULE)):
            yield event["ts"], event["ts"] + event["dur"], name


def difference(raw: list[Event], copy: list[Event]) -> str:
    """In what the copy does not add up to the trace, in words; empty if it does.

    Compares microseconds of operators, of the wait for data, of kernels, and of kernels whose launching call is known.
    """
    if len(raw) != len(copy):
        return f"{len(copy)} events of {len(raw)}"
    ranges = {str(e.get("name")) for e in raw if e.get("cat") == "user_annotation"} | {LOADER}
    of_raw = sums(raw, DATA, tuple(CATEGORIES), ranges)
    of_copy = sums(copy, LOADER, tuple(CATEGORIES.values()), ranges)
    wrong = [name for name in of_raw if not math.isclose(of_raw[name], of_copy[name], rel_tol=1e-9, abs_tol=1e-3)]
    return ", ".join(f"{name} {of_copy[name]:.0f} us of {of_raw[name]:.0f}" for name in wrong)


def sums(events: list[Event], loader: str, launchers: tuple[str, ...], ranges: set[str]) -> dict[str, float]:
    """Microseconds of operators, data, kernels and launched kernels in a trace.

    `loader` is the trace's name for the wait for data, `launchers` its categories of launching calls, and `ranges` are
    names that are not operators, whatever their category.
    """
    calls = {e["args"]["correlation"] for e in events if e.get("cat") in launchers and "correlation" in e["args"]}
    totals = dict.fromkeys(("operators", "data", "kernels", "launched kernels"), 0.0)
    for event in events:
        category, name, duration_us = event.get("cat"), event.get("name"), float(event.get("dur", 0.0))
        if name == loader and event.get("ph") == "X" and category != "gpu_user_annotation":
            totals["data"] += duration_us
        elif category == "cpu_op" and name not in ranges:
            totals["operators"] += duration_us
        elif category == "kernel":
            totals["kernels"] += duration_us
            totals["launched kernels"] += duration_us if event["args"].get("correlation") in calls else 0.0
    return totals
