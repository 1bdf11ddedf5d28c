"""What a trace tells, on a made-up trace of a CUDA device whose times are known."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.analyse.load import load
from bench.analyse.traces import trace
from bench.core import traces
from bench.core.records import RecordError
from bench.report import pages

VARIANT = "cuda-default-nchw-eager-b128"


@pytest.fixture
def found(cuda_trace: Path) -> trace.Trace:
    return trace.of_file(cuda_trace, VARIANT)


def rows(work: pd.DataFrame, on: str) -> set[tuple[str, str, str, float]]:
    mine = work[work.on == on]
    return {(r[0], r[1], r[2], round(r[3] * 1e6)) for r in mine[["name", "layer", "phase", "seconds"]].to_numpy()}


def test_kernels_belong_to_the_layer_and_phase_that_launched_them(found: trace.Trace) -> None:
    assert {("implicit_gemm", "0", "forward", 300), ("wgrad", "0", "backward", 200)} == rows(found.work, "device")


def test_operators_count_by_themselves(found: trace.Trace) -> None:
    assert {
        ("aten::index", "", "data", 50),
        ("aten::conv2d", "0", "forward", 40),
        ("aten::cudnn_convolution", "0", "forward", 60),
        ("aten::convolution_backward", "0", "backward", 120),
    } == rows(found.work, "cpu")


def test_a_device_is_busy_where_something_runs_on_it(found: trace.Trace) -> None:
    assert 1000e-6 == pytest.approx(found.step_s)
    assert 500e-6 == pytest.approx(found.device_busy_s)


def test_what_runs_at_once_is_busy_once_and_none_is_no_number(cuda_events: list[dict[str, Any]]) -> None:
    overlapping = cuda_events[10] | {"ts": 400, "dur": 200}  # 100 us beyond the kernel that runs from 200 to 500

    assert 600e-6 == pytest.approx(trace.device_busy_s([*cuda_events, overlapping], 1))
    assert math.isnan(trace.device_busy_s(cuda_events[:10], 1))


def test_the_peak_of_memory_has_an_owner(found: trace.Trace) -> None:
    top = found.memory.loc[found.memory.bytes.idxmax()]

    assert ("device 0", 3 * 2**20, "0", "forward") == (top.device, top.bytes, top.layer, top.phase)
    assert 140e-6 == pytest.approx(top.at_s)


def test_a_damaged_trace_is_an_error_that_names_it(cuda_trace: Path, tmp_path: Path) -> None:
    whole = cuda_trace.read_bytes()
    torn, empty = tmp_path / "torn.json.gz", tmp_path / "empty.json.gz"
    torn.write_bytes(whole[: len(whole) // 2])
    empty.write_bytes(gzip.compress(b'{"traceEvents": []}'))

    with pytest.raises(RecordError, match=r"torn\.json\.gz: damaged"):
        trace.of_file(torn, VARIANT)
    with pytest.raises(RecordError, match="no step is in it"):
        trace.of_file(empty, VARIANT)


def test_a_damaged_trace_is_a_warning_of_the_page_and_changes_no_record(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    variant_id = "cpu-default-nchw-eager-b32"
    data = load(make_run({(variant_id, "A"): [1.0] * 3}))
    raw = traces.folder_of(data.folder, variant_id) / traces.RAW
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"no gzip")
    first, second = (pages.write(data, tmp_path).path.read_text() for _ in range(2))

    assert data.warnings == []
    assert first == second
    assert first.count("; trace it again.") == 1
