"""What this torch records, with different options, against sums by json over the same file."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, schedule, tensorboard_trace_handler

from bench.analyse.kineto import found
from bench.analyse.kineto.missing import Missing
from tests.bench.analyse.kineto.rules import plain_us

STEPS = 3
OPTIONS: dict[str, tuple[dict[str, bool], set[Missing]]] = {
    "plain": ({}, {Missing.SHAPES, Missing.STACKS, Missing.MODULES, Missing.MEMORY}),
    "shapes": ({"record_shapes": True}, {Missing.STACKS, Missing.MODULES, Missing.MEMORY}),
    "stacks": ({"with_stack": True}, {Missing.SHAPES, Missing.MEMORY}),
    "all": ({"record_shapes": True, "with_stack": True, "profile_memory": True, "with_modules": True}, set()),
}


def record(folder: Path, *, stepped: bool, packed: bool, **options: Any) -> Path:  # noqa: ANN401 - the profiler's
    """Record some training steps of a small model."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 4), nn.ReLU()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    extra: dict[str, Any] = {"schedule": schedule(wait=0, warmup=1, active=STEPS, repeat=1)} if stepped else {}
    handler = tensorboard_trace_handler(str(folder), "worker", use_gzip=packed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with profile(activities=[ProfilerActivity.CPU], on_trace_ready=handler, **extra, **options) as profiler:
            for _ in range(STEPS + 1):
                model(torch.rand(2, 8)).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
                if stepped:
                    profiler.step()
    [path] = folder.iterdir()
    return path


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("stepped", [True, False])
def test_a_recorded_trace_adds_up(tmp_path: Path, name: str, *, stepped: bool) -> None:
    options, missing = OPTIONS[name]
    path = record(tmp_path, stepped=stepped, packed=stepped, **options)
    one = found.of_file(path)

    assert [check for check in one.checks if not check.passed] == []
    assert one.operators.host_s.sum() * 1e6 == pytest.approx(plain_us(path, "cpu_op"), abs=1)
    assert set(one.missing) == missing | {Missing.DEVICE} | (set() if stepped else {Missing.STEPS})
    assert len(one.steps.names) == (STEPS if stepped else 1)
    assert (one.trace.left_out, one.trace.truncated) == (0, False)
    assert {"aten::linear", "aten::addmm"} <= set(one.operators.operator)


def test_recorded_modules_and_memory_are_those_of_the_model(tmp_path: Path) -> None:
    options, _ = OPTIONS["all"]
    path = record(tmp_path, stepped=True, packed=False, **options)
    one = found.of_file(path)
    tree = dict(zip(one.modules.path, one.modules.calls, strict=True))
    events = json.loads(path.read_text())["traceEvents"]

    names = [
        "",
        " > Linear_0",
        " > ReLU_0",
        " > Sequential_1",
        " > Sequential_1 > Linear_1",
        " > Sequential_1 > ReLU_1",
    ]
    assert tree == {f"Sequential_0{name}": STEPS for name in names}
    [curve] = one.curves
    totals = [event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]"]
    assert curve.peak_bytes == max(totals)
    changes = [event["args"]["Bytes"] for event in events if event["name"] == "[memory]"]
    assert one.allocated.kept_bytes.sum() == sum(changes)


def test_a_trace_of_an_amd_gpu_adds_up() -> None:
    path = Path(__file__).parent / "recorded" / "mi250.json.gz"
    one = found.of_file(path)

    assert [check for check in one.checks if not check.passed] == []
    assert (one.steps.names, len(one.kernels)) == (["1", "2"], 13)
    assert one.kernels.total_s.sum() * 1e6 == pytest.approx(plain_us(path, "kernel", "gpu_memcpy", "gpu_memset"), abs=1)
    assert one.operators.device_self_s.sum() == pytest.approx(one.kernels.total_s.sum(), abs=1e-9)
    assert "(no operator)" not in set(one.operators.operator)
