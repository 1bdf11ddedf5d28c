"""Which layers each kernel of a compiled model covers, by its trace. Its time is never split among them."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.analyse.traces.mend import Event
from bench.core.records import RecordError, decoder_words
from bench.core.traces import range_name

Span = tuple[float, float, str]
"""Begin and end of a kernel, in microseconds, and the layers that it covers, in words."""
GRAPH = re.compile(r"^graph_\d+_")
"""In front of the name of inductor's own kernels."""


def fused(path: Path, events: list[Event]) -> list[Span]:
    """The kernels of a compiled model in a trace, with the layers that they cover by inductor's word.

    Inductor's own kernels are known by their names. A library's operators are matched in the order of the generated
    code, if a phase calls that name as often as the code does; else they are left out.
    Raises RecordError if the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        by_phase = msgspec.json.decode(path.read_bytes(), type=dict[str, list[tuple[str, list[str]]]])
        names = {range_name(("", phase)): phase for phase in by_phase}
        phases = [e for e in events if e.get("cat") == "user_annotation" and e.get("name") in names]
        return [
            (event["ts"], event["ts"] + event["dur"], ", ".join(layers))
            for phase in phases
            for event, layers in matched(by_phase[names[phase["name"]]], inside(events, phase))
            if layers
        ]
    except (OSError, msgspec.MsgspecError, ValueError, LookupError) as error:
        msg = f"{path}: damaged ({decoder_words(error)})"
        raise RecordError(msg) from error


def inside(events: list[Event], phase: Event) -> list[Event]:
    """The operators within a phase, of all threads, in order."""
    begin, end = phase["ts"], phase["ts"] + phase["dur"]
    operators = [e for e in events if e.get("cat") == "cpu_op" and begin <= e["ts"] < end]
    return sorted(operators, key=lambda e: (e["ts"], -e["dur"]))


def matched(kernels: list[tuple[str, list[str]]], calls: list[Event]) -> Iterator[tuple[Event, list[str]]]:
    """The calls of kernels, each with its layers."""
    by_name: dict[str, list[list[str]]] = {}
    for name, layers in kernels:
        by_name.setdefault(operator_of(name), []).append(layers)
    for name, wanted in by_name.items():
        own_calls: list[Event] = []
        for event in calls:
            outer = own_calls and event["ts"] < own_calls[-1]["ts"] + own_calls[-1]["dur"]
            if GRAPH.sub("", event["name"]) == name and not outer:
                own_calls.append(event)
        if len(own_calls) == len(wanted):
            yield from zip(own_calls, wanted, strict=True)


def operator_of(kernel: str) -> str:
    """The profile's name for a kernel of the generated code: `aten::mm` for `extern_kernels.mm`."""
    parts = kernel.split(".")
    if parts[0] == "extern_kernels":
        return f"aten::{parts[1]}"
    return f"{parts[2]}::{parts[3]}" if parts[:2] == ["torch", "ops"] else kernel
