"""What a trace holds: how long each operator and kernel took for which layer and phase, and the memory of a step."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analyse.kineto import nesting
from bench.analyse.load import RunData
from bench.analyse.traces import mend
from bench.analyse.traces.fused import Span, fused
from bench.analyse.traces.mend import Event
from bench.core import traces
from bench.core.records import RecordError, decoder_words
from bench.core.traces import BETWEEN, Owner, owner_of

DEVICE_WORK = ("kernel", "gpu_memcpy", "gpu_memset")
OUTSIDE: Owner = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The steps of one variant as the profiler saw them. Seconds and calls are per step."""

    variant_id: str
    steps: int
    step_s: float
    """Mean duration of a step under the profiler."""
    work: pd.DataFrame
    """A row for each operator or kernel and its owner: on (cpu or device), name, layer, phase, seconds, calls. An
    operator's time leaves out the operators that it called. Kernels, copies and sets have the owner that launched
    them."""
    device_busy_s: float
    """How long a device worked in a step; NaN if none did."""
    memory: pd.DataFrame
    """The allocator in the step that used most memory: device, at_s since the step began, bytes since the trace began,
    layer, phase."""


def read(data: RunData) -> tuple[list[Trace], list[str]]:
    """The traces of a run in the order of its variants, and a warning for each one that is damaged or cut short."""
    all_traces, warnings = [], []
    for variant_id in data.variants:
        path = traces.folder_of(data.folder, variant_id) / traces.RAW
        if path.is_file():
            try:
                trace = of_file(path, variant_id)
                stamped = data.traced[(data.traced.variant_id == variant_id) & (data.traced.metric == "stamped_wall")]
                if trace.steps != len(stamped):  # the profiler ends early if a buffer is full
                    warnings.append(f"{path}: it has {trace.steps} of {len(stamped)} steps; trace it again")
                all_traces.append(trace)
            except RecordError as error:  # the run's numbers stand without its trace
                warnings.append(f"{error}; trace it again")
    return all_traces, warnings


def of_file(path: Path, variant_id: str) -> Trace:
    """The trace of a file. Raises RecordError if it is damaged or holds no step."""
    try:
        events = [event for event in mend.read(path)["traceEvents"] if "ts" in event]
    except (OSError, EOFError, ValueError) as error:
        msg = f"{path}: damaged ({decoder_words(error)})"
        raise RecordError(msg) from error
    steps = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if is_step(e))
    if not steps:
        msg = f"{path}: no step is in it"
        raise RecordError(msg)
    owners = Owners(events, fused(path.with_name(traces.FUSION), events))
    return Trace(
        variant_id=variant_id,
        steps=len(steps),
        step_s=sum(end - start for start, end in steps) / len(steps) / 1e6,
        work=work(events, steps, owners),
        device_busy_s=device_busy_s(events, len(steps)),
        memory=memory(events, steps, owners),
    )


def is_step(event: Event) -> bool:
    """Whether an event is the host's range of a whole step."""
    return event.get("cat") == "user_annotation" and str(event.get("name")).startswith(mend.STEP)


class Owners:
    """The owner of any moment: the layer and phase whose range began last, by the borders of the probe.

    In a compiled model the owner is all layers that the kernel under way covers: `spans` has such kernels.
    """

    def __init__(self, events: list[Event], spans: list[Span]) -> None:
        self._spans = sorted(spans)
        self._begins = np.array([begin for begin, _, _ in self._spans])
        borders = sorted(self._borders(events), key=lambda border: border[0])
        self._at = np.array([at for at, _ in borders])
        self._owners = [owner for _, owner in borders]

    @staticmethod
    def _borders(events: list[Event]) -> Iterator[tuple[float, Owner]]:
        ranges = [(e, owner_of(str(e.get("name")))) for e in events if e.get("cat") == "user_annotation"]
        layered = any(
            owner and owner[0] for _, owner in ranges
        )  # a compiled model has no layers, so nothing is between
        for event, owner in ranges:
            if owner is None or event.get("ph") != "X":
                continue
            layer, phase = owner
            start, end = event["ts"], event["ts"] + event["dur"]
            if layer:
                yield start, owner
                if phase == "forward":  # in backward the time is the layer's until the next border
                    yield end, (BETWEEN, phase)
            else:
                yield start, (BETWEEN if layered and phase in ("forward", "backward") else "", phase)
                yield end, OUTSIDE

    def at(self, moment_us: float) -> Owner:
        """The owner at a moment."""
        index = int(np.searchsorted(self._at, moment_us, side="right")) - 1
        layer, phase = self._owners[index] if index >= 0 else OUTSIDE
        under_way = int(np.searchsorted(self._begins, moment_us, side="right")) - 1
        if under_way >= 0 and moment_us < self._spans[under_way][1]:
            layer = self._spans[under_way][2]
        return layer, phase

    def between(self, begin_us: float, end_us: float) -> Iterator[tuple[Owner, float, float]]:
        """The owners of a stretch of time, each with its begin and end in microseconds."""
        cuts = self._at[(self._at > begin_us) & (self._at < end_us)]
        edges = [begin_us, *map(float, cuts), end_us]
        for start, stop in itertools.pairwise(edges):
            yield self.at(start), start, stop


def work(events: list[Event], steps: list[tuple[float, float]], owners: Owners) -> pd.DataFrame:
    """What `Trace.work` holds: the work within the steps by name and owner, per step, the longest first."""
    rows: list[tuple[object, ...]] = []
    counted: set[int] = set()
    for event, begin, end in alone([e for e in events if e.get("cat") == "cpu_op" and e.get("ph") == "X"]):
        if within(steps, event["ts"]) and end > begin:
            for owner, start, stop in owners.between(begin, end):
                rows.append(("cpu", event["name"], *owner, stop - start, int(id(event) not in counted)))
                counted.add(id(event))
    launched = launches(events)
    for event in events:
        if event.get("cat") in DEVICE_WORK and event.get("ph") == "X":
            # Work belongs to the step in which it was launched. If that call is unknown, the work has no owner.
            at = launched.get(event.get("args", {}).get("correlation"))
            if within(steps, event["ts"] if at is None else at):
                rows.append(("device", event["name"], *(OUTSIDE if at is None else owners.at(at)), event["dur"], 1))
    keys = ["on", "name", "layer", "phase"]
    table = pd.DataFrame(rows, columns=[*keys, "us", "calls"])
    summed = table.groupby(keys, sort=False).sum().reset_index()
    return pd.DataFrame(
        {
            **{name: summed[name] for name in keys},
            "seconds": summed.us / len(steps) / 1e6,
            "calls": summed.calls / len(steps),
        }
    ).sort_values("seconds", ascending=False, ignore_index=True)


def launches(events: list[Event]) -> dict[int, float]:
    """The moments, in microseconds, at which work on a device was launched, by its correlation."""
    return {
        event["args"]["correlation"]: event["ts"]
        for event in events
        if event.get("cat") in mend.CATEGORIES and "correlation" in event.get("args", {})
    }


def within(steps: list[tuple[float, float]], moment_us: float) -> bool:
    """Whether a moment lies in a step."""
    return any(start <= moment_us < end for start, end in steps)


def alone(events: list[Event]) -> Iterator[tuple[Event, float, float]]:
    """Each call with the begin and end, in microseconds, of every stretch in which no call nested in it is under way.

    Calls nest within a thread.
    """
    numbers: dict[object, int] = {}
    thread = np.array([numbers.setdefault((e["pid"], e["tid"]), len(numbers)) for e in events], dtype=np.int64)
    begin = np.array([e["ts"] for e in events], dtype=float)
    end = np.array([end_of(e) for e in events], dtype=float)
    outer = nesting.parents(thread, begin, end)
    inner: dict[int, list[Event]] = {}
    for index in nesting.in_order(thread, begin, end).tolist():
        inner.setdefault(int(outer[index]), []).append(events[index])
    for index, event in enumerate(events):
        reached = float(event["ts"])
        for call in inner.get(index, ()):
            yield event, reached, float(call["ts"])
            reached = end_of(call)
        yield event, reached, end_of(event)


def end_of(event: Event) -> float:
    """When a call ends, in microseconds."""
    return float(event["ts"] + event["dur"])


def device_busy_s(events: list[Event], steps: int) -> float:
    """Seconds a step in which a kernel, copy or set was under way; NaN if the trace has none."""
    spans = sorted((e["ts"], e["ts"] + e["dur"]) for e in events if e.get("cat") in DEVICE_WORK)
    busy_us, reached = 0.0, -math.inf
    for start, stop in spans:
        busy_us += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return busy_us / steps / 1e6 if spans else math.nan


def memory(events: list[Event], steps: list[tuple[float, float]], owners: Owners) -> pd.DataFrame:
    """What `Trace.memory` holds: the allocator's bytes since the trace began, during the step with the most."""
    columns = ["device", "at_s", "bytes", "layer", "phase"]
    changes = pd.DataFrame(
        [(*device_of(e), e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == mend.ALLOCATION],
        columns=["kind", "index", "us", "change"],
    ).sort_values("us", kind="stable")
    if changes.empty:
        return pd.DataFrame(columns=columns)
    changes["device"] = np.where(changes.kind == 0, "cpu", "device " + changes["index"].astype(str))
    changes["bytes"] = changes.groupby("device")["change"].cumsum()
    parts = []
    for device, of_device in changes.groupby("device", sort=False):
        in_steps = [of_device[(of_device.us >= start) & (of_device.us < end)] for start, end in steps]
        filled = [(part, start) for part, (start, _) in zip(in_steps, steps, strict=True) if len(part)]
        if filled:
            part, start = max(filled, key=lambda pair: pair[0].bytes.max())
            who = [owners.at(us) for us in part.us]
            parts.append(
                pd.DataFrame(
                    {
                        "device": device,
                        "at_s": (part.us - start) / 1e6,
                        "bytes": part.bytes,
                        "layer": [layer for layer, _ in who],
                        "phase": [phase for _, phase in who],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def device_of(event: Event) -> tuple[int, int]:
    """Kind (0 the CPU, 1 CUDA) and index of the device of an allocation."""
    return int(event["args"].get("Device Type", 0)), int(event["args"].get("Device Id", -1))
