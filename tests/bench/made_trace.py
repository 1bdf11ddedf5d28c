"""A small made-up trace of a CUDA device, one step of 1000 us: what torch.profiler would write of two layers' worth."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOST, DEVICE, MAIN, AUTOGRAD = 100, 0, 1, 2
PEAK_BYTES = 3 * 2**20
PYTHON: dict[str, Any] = {"Python module id": 0, "Python parent id": None}


def span(cat: str, name: str, ts: float, dur: float, tid: int = MAIN, **args: Any) -> dict[str, Any]:  # noqa: ANN401
    """A duration event."""
    pid = DEVICE if cat in ("kernel", "gpu_memcpy") else HOST
    return {"ph": "X", "cat": cat, "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args}


def memory(ts: float, change: int, total: int) -> dict[str, Any]:
    """An allocation on the device, or the end of one."""
    args = {"Device Type": 1, "Device Id": 0, "Bytes": change, "Total Allocated": total, "Addr": 1}
    return {
        "ph": "i",
        "s": "t",
        "cat": "cpu_instant_event",
        "name": "[memory]",
        "pid": HOST,
        "tid": MAIN,
        "ts": ts,
        "args": args,
    }


EVENTS = [
    span("user_annotation", "ProfilerStep#1", 0, 1000, **{"External id": 1}),
    span("user_annotation", "phase data", 0, 100, **{"External id": 2}),
    span("cpu_op", "aten::index", 10, 50, **{"External id": 3}),
    span("user_annotation", "phase forward", 100, 300, **{"External id": 4}),
    span("python_function", "nn.Module: Sequential_0", 101, 250, **PYTHON, **{"Python id": 1}),
    span("python_function", "nn.Module: Conv2d_0", 105, 200, **PYTHON | {"Python parent id": 1}, **{"Python id": 2}),
    span("user_annotation", "layer 0 forward", 110, 190, **{"External id": 5}),
    span("cpu_op", "aten::conv2d", 120, 100, **{"External id": 6}),
    span("cpu_op", "aten::cudnn_convolution", 130, 60, **{"External id": 7}),
    span("cuda_runtime", "cudaLaunchKernel", 150, 10, correlation=70, **{"External id": 7}),
    span("kernel", "implicit_gemm", 200, 300, 7, correlation=70, device=0, stream=7, **{"External id": 7}),
    span("user_annotation", "phase backward", 400, 400, **{"External id": 8}),
    span("user_annotation", "layer 0 backward", 420, 180, AUTOGRAD, **{"External id": 9}),
    span("cpu_op", "aten::convolution_backward", 430, 120, AUTOGRAD, **{"External id": 10}),
    span("cuda_driver", "cuLaunchKernel", 450, 10, AUTOGRAD, correlation=80, **{"External id": 10}),
    span("kernel", "wgrad", 650, 200, 7, correlation=80, device=0, stream=7, **{"External id": 10}),
    span("user_annotation", "phase optimizer", 800, 150, **{"External id": 11}),
    span("user_annotation", "Optimizer.step#Adam.step", 805, 140, **{"External id": 12}),
    memory(140, PEAK_BYTES, PEAK_BYTES),
    memory(700, -PEAK_BYTES, 0),
]  # fmt: skip
TRACE = {
    "schemaVersion": 1,
    "deviceProperties": [
        {"id": 0, "name": "Made-up GPU", "totalGlobalMem": 2**34, "computeMajor": 8, "computeMinor": 0,
         "maxThreadsPerBlock": 1024, "maxThreadsPerMultiprocessor": 2048, "regsPerBlock": 65536,
         "regsPerMultiprocessor": 65536,
         "warpSize": 32, "sharedMemPerBlock": 49152, "sharedMemPerMultiprocessor": 167936, "numSms": 108,
         "sharedMemPerBlockOptin": 166912}
    ],
    "traceEvents": EVENTS,
}  # fmt: skip


@pytest.fixture
def cuda_events() -> list[dict[str, Any]]:
    """The events of the trace."""
    return list(EVENTS)


@pytest.fixture
def make_span() -> Callable[..., dict[str, Any]]:
    """Make a duration event."""
    return span


@pytest.fixture
def cuda_trace(tmp_path: Path) -> Path:
    """The trace as a file."""
    path = tmp_path / "trace.json.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump(TRACE, file)
    return path
