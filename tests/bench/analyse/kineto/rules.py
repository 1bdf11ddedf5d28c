"""Traces made by rule, whose totals are known."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]
HOST, DEVICE, MAIN, STREAM = 100, 0, 1, 7


def span(cat: str, name: str, ts: float, dur: float, tid: int = MAIN, pid: int = HOST, /, **args: Any) -> Event:  # noqa: ANN401
    """A complete event; times in microseconds."""
    return {"ph": "X", "cat": cat, "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args}


def launch(key: int, ts: float, kernel: str, begin: float, duration: float, **args: Any) -> list[Event]:  # noqa: ANN401
    """A launch of 5 us, its kernel, and the arrow from one to the other."""
    at_host = {"pid": HOST, "tid": MAIN, "ts": ts, "cat": "ac2g", "name": "ac2g", "id": key}
    at_device = at_host | {"pid": DEVICE, "tid": STREAM, "ts": begin, "bp": "e"}
    return [
        span("cuda_runtime", "cudaLaunchKernel", ts, 5, correlation=key, **args),
        span("kernel", kernel, begin, duration, STREAM, DEVICE, correlation=key, device=0, stream=STREAM, **args),
        at_host | {"ph": "s"},
        at_device | {"ph": "f"},
    ]


def allocation(ts: float, change: int, total: int | None = None, kind: int = 1) -> Event:
    """A change of allocated memory; older traces have no total."""
    args = {"Device Type": kind, "Device Id": 0 if kind else -1, "Bytes": change}
    args |= {} if total is None else {"Total Allocated": total, "Total Reserved": 4096}
    return {"ph": "i", "s": "t", "name": "[memory]", "pid": HOST, "tid": MAIN, "ts": ts, "args": args}


def gpu_events(base: float = 0.0) -> list[Event]:
    """Two steps of a GPU, of 100 us on the host each. The kernel of the first ends 30 us after it."""
    fill = {"blocks per SM": 2.0, "est. achieved occupancy %": 40}
    full = {"blocks per SM": 8.0, "est. achieved occupancy %": 100}
    events = [
        span("user_annotation", "ProfilerStep#5", 0, 100, **{"External id": 1}),
        span("user_annotation", "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__", 0, 10),
        span("cpu_op", "aten::linear", 10, 40, **{"External id": 2, "Input Dims": [[2, 3], [3, 4]]}),
        span("cpu_op", "aten::addmm", 15, 30, **{"External id": 3, "Input Dims": [[4], [2, 3], [3, 4]]}),
        *launch(70, 20, "gemm", 60, 70, **{"External id": 3}),
        span("gpu_memcpy", "Memcpy HtoD", 40, 30, STREAM + 1, DEVICE, correlation=99),
        span("gpu_memset", "Memset", 65, 10, STREAM + 1, DEVICE, correlation=98),
        span("user_annotation", "ProfilerStep#6", 100, 100, **{"External id": 4}),
        span("cpu_op", "aten::linear", 110, 20, **{"External id": 5, "Input Dims": [[2, 3], [3, 4]]}),
        *launch(80, 120, "gemm", 140, 10),
        *launch(81, 150, "other", 155, 30),
        span("gpu_user_annotation", "ProfilerStep#6", 140, 45, STREAM, DEVICE),
        span("Trace", "PyTorch Profiler (0)", 0, 210, 1, 9),
        allocation(16, 512, 512),
        allocation(112, 1536, 2048),
        allocation(180, -2048, 0),
    ]
    for event in events:
        if event.get("cat") == "kernel":
            event["args"] |= full if event["ts"] == 140 else fill
        event["ts"] += base
    return events


def rank_events(rank: int) -> list[Event]:
    """One step of 100 us: 40 us of computation, and an all-reduce, which begins earlier on rank 1 and ends at 90."""
    begin = 30 if rank else 50
    return [
        span("user_annotation", "ProfilerStep#1", 0, 100),
        *launch(1, 5, "gemm", 10, 40),
        *launch(2, 15, "ncclDevKernel_AllReduce_Sum_f32", begin, 90 - begin),
    ]


def document(events: Iterable[Event], **head: Any) -> Event:  # noqa: ANN401
    """A trace with some events."""
    return {
        "schemaVersion": 1,
        "deviceProperties": [{"id": 0, "name": "Made-up GPU"}],
        **head,
        "traceEvents": list(events),
    }


def write(path: Path, trace: Event, indent: int | None = 2) -> Path:
    """The file of a trace, packed if its name says so."""
    text = json.dumps(trace, indent=indent).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def plain_us(path: Path, *categories: str) -> float:
    """The sum of the durations of some categories, by json and a loop."""
    content = path.read_bytes()
    trace = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return float(sum(e["dur"] for e in trace["traceEvents"] if e["ph"] == "X" and e.get("cat") in categories))
