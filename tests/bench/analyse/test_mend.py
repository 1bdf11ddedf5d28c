"""A copy in which torch-tb-profiler finds what torch names otherwise, and nothing lost on the way."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.analyse.traces import mend


def named(events: list[mend.Event], name: str) -> mend.Event:
    (found,) = [event for event in events if event["name"] == name]
    return found


def test_calls_loader_and_optimizer_get_the_categories_that_the_plugin_knows(cuda_trace: Path, tmp_path: Path) -> None:
    mend.write(cuda_trace, tmp_path / "copy.json.gz")
    copy = mend.read(tmp_path / "copy.json.gz")["traceEvents"]

    assert {"Runtime"} == {named(copy, name)["cat"] for name in ("cudaLaunchKernel", "cuLaunchKernel")}
    loader = named(copy, "enumerate(DataLoader)#batch.__next__")
    assert ("cpu_op", 100) == (loader["cat"], loader["dur"])
    assert "cpu_op" == named(copy, "Optimizer.step#Adam.step")["cat"]
    assert "user_annotation" == named(copy, "ProfilerStep#1")["cat"] == named(copy, "layer 0 backward")["cat"]


def test_modules_are_named_by_path(cuda_events: list[mend.Event]) -> None:
    copy = mend.mended(cuda_events)

    assert "nn.Module: 0 Conv2d" == copy[5]["name"]
    assert "nn.Module: Sequential" == copy[4]["name"]


@pytest.mark.parametrize("depth", [1, 3])
def test_a_container_of_one_layer_is_not_taken_for_the_layer(depth: int, make_span: Callable[..., mend.Event]) -> None:
    path = ".".join("0" * (depth + 1))
    modules = [
        make_span("python_function", f"nn.Module: Sequential_{i}", 10 + i, 100 - 2 * i) for i in range(depth + 1)
    ]
    leaf = make_span("python_function", "nn.Module: ReLU_0", 50, 10)
    inside = make_span("user_annotation", f"layer {path} forward", 51, 5)
    found = mend.module_paths([*modules, leaf, inside])

    assert path == found["nn.Module: ReLU_0"]
    assert [path[: max(0, 2 * i - 1)] for i in range(depth + 1)] == [
        found[f"nn.Module: Sequential_{i}"] for i in range(depth + 1)
    ]


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda events: events[:-1], "19 events of 20"),
        (lambda events: [e | {"dur": e["dur"] + 5} if e["name"] == "aten::conv2d" else e for e in events], "operators"),
        (lambda events: [e for e in events if e["name"] != "cuLaunchKernel"] + events[:1], "launched kernels"),
        (lambda events: [e | {"name": "data"} if "enumerate" in e["name"] else e for e in events], "data"),
    ],
)
def test_a_copy_that_does_not_add_up_is_told(
    spoil: Callable[[list[mend.Event]], list[mend.Event]], word: str, cuda_events: list[mend.Event]
) -> None:
    copy = mend.mended(cuda_events)

    assert "" == mend.difference(cuda_events, copy)
    assert word in mend.difference(cuda_events, spoil(copy))


@pytest.mark.parametrize("gone", ["Bytes", "ts"])
def test_an_allocation_without_its_bytes_is_damage(
    gone: str, cuda_events: list[dict[str, Any]], tmp_path: Path
) -> None:
    events = [dict(event, args=dict(event["args"])) for event in cuda_events]
    for event in events:
        if event["name"] == "[memory]":
            event.pop(gone, None)
            event["args"].pop(gone, None)
    path = tmp_path / "trace.json.gz"
    with gzip.open(path, "wt") as file:
        json.dump({"traceEvents": events}, file)

    with pytest.raises(ValueError, match="an allocation needs a ts and its Bytes"):
        mend.read(path)


@pytest.mark.parametrize("key", ["pid", "tid"])
@pytest.mark.parametrize("value", [[], {}, None, 1.5])
def test_a_thread_of_another_type_is_damage(
    key: str, value: object, cuda_events: list[mend.Event], tmp_path: Path
) -> None:
    path = tmp_path / "trace.json.gz"
    with gzip.open(path, "wt") as file:
        json.dump({"traceEvents": [cuda_events[2] | {key: value}]}, file)

    with pytest.raises(ValueError, match=rf"Expected `int \| str`.*\.{key}"):
        mend.read(path)


@pytest.mark.parametrize("gone", ["ts", "dur", "pid", "tid", "args", "name"])
def test_a_range_without_a_category_is_read_by_its_form(
    gone: str, cuda_events: list[mend.Event], tmp_path: Path
) -> None:
    path = tmp_path / "trace.json.gz"
    module = cuda_events[4]
    with gzip.open(path, "wt") as file:
        json.dump({"traceEvents": [{key: module[key] for key in module if key not in ("cat", gone)}]}, file)

    with pytest.raises(ValueError, match=f"event 0: found no {gone}, expected one"):
        mend.read(path)
