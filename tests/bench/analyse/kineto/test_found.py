"""What is found in traces made by rule."""

from pathlib import Path

import pandas as pd
import pytest

from bench.analyse.kineto import checks, found
from bench.analyse.kineto.found import Found
from bench.analyse.kineto.memory import thinned
from bench.analyse.kineto.missing import Missing
from bench.analyse.kineto.steps import Part
from tests.bench.analyse.kineto.rules import (
    allocation,
    document,
    gpu_events,
    plain_us,
    rank_events,
    span,
    write,
)


@pytest.fixture
def gpu(tmp_path: Path) -> Found:
    return found.of_file(write(tmp_path / "gpu.pt.trace.json.gz", document(gpu_events())))


def of_events(folder: Path, *events: dict[str, object]) -> Found:
    return found.of_file(write(folder / "trace.json", document(events)))


def us(table: pd.DataFrame, column: str) -> list[float]:
    return [round(value * 1e6, 3) for value in table[column]]


def test_a_step_ends_with_the_work_that_it_launched(gpu: Found) -> None:
    assert gpu.steps.names == ["5", "6"]
    assert list(gpu.steps.begin_ns) == [0, 130_000]
    assert list(gpu.steps.end_ns) == [130_000, 200_000]


def test_each_instant_of_a_step_counts_once_for_the_first_part(gpu: Found) -> None:
    parts = {part: [int(ns) // 1000 for ns in found_ns] for part, found_ns in gpu.steps.parts.items()}

    # Of the first step: kernel 60 to 130; memcpy 40 to 70 before it; runtime 20 to 25; loader 0 to 10; operators 10 to
    # 40 less the runtime. The memset is within the kernel.
    assert parts == {
        Part.KERNEL: [70, 40], Part.COPY: [20, 0], Part.SET: [0, 0], Part.RUNTIME: [5, 5], Part.LOADER: [10, 0],
        Part.OPERATOR: [25, 0], Part.OTHER: [0, 25],
    }  # fmt: skip
    assert [sum(column) for column in zip(*parts.values(), strict=True)] == [130, 70]


def test_operators_have_their_own_time_and_that_of_what_they_launched(gpu: Found) -> None:
    table = gpu.operators.set_index("operator")

    assert list(table.index) == ["aten::addmm", "(no operator)", "aten::linear"]
    assert us(table.loc[["aten::linear", "aten::addmm"]], "host_self_s") == [30, 30]
    assert us(table.loc[["aten::linear", "aten::addmm"]], "host_s") == [60, 30]
    # linear launched the second gemm: it has no number of an operator, and linear was under way on its thread.
    assert us(table.loc[["aten::linear", "aten::addmm", "(no operator)"]], "device_self_s") == [10, 70, 70]
    assert us(table.loc[["aten::linear"]], "device_s") == [80]
    assert list(gpu.by_shapes.shapes) == ["[4], [2, 3], [3, 4]", "[2, 3], [3, 4]"]


def test_kernels_have_times_launchers_and_means_weighted_by_time(gpu: Found) -> None:
    table = gpu.kernels.set_index("kernel")

    assert list(table.index) == ["gemm", "Memcpy HtoD", "other", "Memset"]
    assert list(table.kind) == ["kernel", "memcpy", "kernel", "memset"]
    gemm = table.loc["gemm"]
    assert [round(gemm[name] * 1e6) for name in ("total_s", "mean_s", "min_s", "max_s")] == [80, 40, 10, 70]
    assert (gemm.calls, gemm.launched_by, gemm.launchers) == (2, "aten::addmm", 2)
    assert gemm.blocks_per_sm == pytest.approx((70 * 2 + 10 * 8) / 80)
    assert gemm.occupancy == pytest.approx((70 * 40 + 10 * 100) / 80)
    assert (table.loc["other"].launched_by, table.loc["other"].launchers) == ("", 0)


def test_the_totals_are_those_of_json(gpu: Found) -> None:
    path = gpu.trace.path

    assert all(check.passed for check in gpu.checks)
    assert sum(us(gpu.operators, "host_s")) == plain_us(path, "cpu_op")
    assert sum(us(gpu.operators, "device_self_s")) == plain_us(path, "kernel", "gpu_memcpy", "gpu_memset")
    assert sum(us(gpu.kernels, "total_s")) == plain_us(path, "kernel", "gpu_memcpy", "gpu_memset")


def test_a_table_that_loses_a_kernel_fails_its_checks(gpu: Found) -> None:
    failed = [check.what for check in checks.of_kernels(gpu.trace, gpu.kernels.iloc[1:]) if not check.passed]

    assert failed == ["calls of kernel", "time of kernel"]


def test_memory_has_a_peak_and_operators_that_allocated(gpu: Found) -> None:
    [curve] = gpu.curves

    assert (curve.device, curve.peak_bytes, round(curve.peak_at_s * 1e6)) == ("device 0", 2048, 112)
    assert not curve.since_the_trace_began
    rows = gpu.allocated.set_index("operator")
    assert list(rows.allocated_bytes) == [1536, 512, 0]
    assert rows.freed_bytes["(no operator)"] == 2048


def test_memory_without_totals_counts_from_the_trace_s_begin(tmp_path: Path) -> None:
    made = of_events(tmp_path, span("cpu_op", "a", 0, 9), allocation(1, 7, kind=0), allocation(2, 5, kind=0))

    assert [(c.device, c.peak_bytes, c.since_the_trace_began) for c in made.curves] == [("cpu", 12, True)]


def test_a_thinned_curve_keeps_its_extremes() -> None:
    values = pd.Series([((n * 7919) % 10007) for n in range(50_000)])
    moments = pd.DataFrame({"at_s": range(50_000), "allocated_bytes": values, "reserved_bytes": 0.0})
    shown = thinned(moments, 400)

    assert len(shown) <= 400
    assert (shown.allocated_bytes.min(), shown.allocated_bytes.max()) == (values.min(), values.max())
    assert (shown.at_s.iloc[0], shown.at_s.iloc[-1]) == (0, 49_999)


def test_the_names_of_torch_1_9_mean_the_same(tmp_path: Path) -> None:
    """Categories in capitals, numbers as text, whole microseconds since 1970, no modules."""
    base = 1_623_143_089_000_000
    events = gpu_events(base)
    old = {"cpu_op": "Operator", "user_annotation": "Operator", "kernel": "Kernel", "gpu_memcpy": "Memcpy",
           "gpu_memset": "Memset", "cuda_runtime": "Runtime"}  # fmt: skip
    for event in events:
        event["cat"] = old.get(event.get("cat", ""), event.get("cat", ""))
        args = event.get("args", {})
        if "External id" in args:
            args["external id" if event["cat"] == "Runtime" else "External id"] = str(args.pop("External id"))
        if "Input Dims" in args:
            args["Input dims"] = args.pop("Input Dims")
    now = found.of_file(write(tmp_path / "now.json", document(gpu_events(), displayTimeUnit="ns")))
    then = found.of_file(write(tmp_path / "then.json", document([e for e in events if "gpu_" not in e["cat"]])))

    assert then.steps.frame.equals(now.steps.frame)
    assert then.kernels.equals(now.kernels)
    assert list(filter(None, then.by_shapes.shapes)) == list(now.by_shapes.shapes)
    loader = then.operators[then.operators.operator.str.startswith("enumerate")]
    assert then.operators.drop(loader.index).reset_index(drop=True).equals(now.operators)


def test_modules_are_a_tree_with_the_device_s_time(tmp_path: Path) -> None:
    events = [
        span("python_function", "nn.Module: Net_0", 0, 200, **{"Python id": 1}),
        span("python_function", "net.py(3): forward", 1, 190, **{"Python id": 2}),
        span("python_function", "nn.Module: Linear_0", 5, 50, **{"Python id": 3}),
        span("python_function", "nn.Module: Linear_0", 100, 60, **{"Python id": 4}),
        *gpu_events(),
    ]
    table = of_events(tmp_path, *events).modules

    assert list(table.path) == ["Net_0", "Net_0 > Linear_0"]
    assert list(table.calls) == [1, 2]
    assert (us(table, "host_s"), us(table, "host_self_s")) == ([200, 110], [90, 110])
    assert (us(table, "device_s"), us(table, "device_self_s")) == ([110, 110], [0, 110])


def test_chains_of_torchscript_are_a_tree_whose_calls_are_not_known(tmp_path: Path) -> None:
    chain = "TOP(Net)::forward.fc(Linear)::forward"
    events = [
        span("cpu_op", "aten::linear", 0, 30, **{"Module Hierarchy": chain}),
        span("cpu_op", "aten::addmm", 5, 10, **{"Module Hierarchy": f"{chain}.SELF(Linear)::helper"}),
        span("cpu_op", "aten::relu", 40, 8, **{"Module Hierarchy": "TOP(Net)::forward"}),
    ]
    table = of_events(tmp_path, *events).modules

    assert list(table.path) == ["TOP (Net)", "TOP (Net) > fc (Linear)"]
    assert table.calls.isna().all()
    assert (us(table, "host_s"), us(table, "host_self_s")) == ([38, 30], [8, 30])


def test_ranks_compute_communicate_and_wait(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{rank}.json", document(rank_events(rank), distributedInfo={"rank": rank, "backend": "nccl"}))
        for rank in (0, 1)
    ]
    table = found.across([found.of_file(path) for path in paths])

    assert list(table["rank"]) == ["rank 0", "rank 1"]
    assert us(table, "step_s") == [100, 100]
    assert us(table, "computation_s") == [40, 40]
    assert us(table, "communication_s") == [40, 60]
    assert us(table, "exposed_s") == [40, 40]  # rank 1 computes until 50
    assert us(table, "waiting_s") == [0, 20]


def test_ranks_that_call_other_collectives_have_no_waiting(tmp_path: Path) -> None:
    one = found.of_file(write(tmp_path / "a.json", document(rank_events(0))))
    other = found.of_file(write(tmp_path / "b.json", document(rank_events(0)[:5])))
    table = found.across([one, other])

    assert list(table["rank"]) == ["a", "b"]
    assert table.waiting_s.isna().all()


def test_collectives_of_a_cpu_are_its_annotations(tmp_path: Path) -> None:
    made = of_events(
        tmp_path,
        span("user_annotation", "ProfilerStep#1", 0, 100),
        span("cpu_op", "aten::mm", 0, 50),
        span("user_annotation", "gloo:all_reduce", 30, 50, 2),
    )

    assert {part: int(ns[0]) for part, ns in made.steps.parts.items()} == {
        Part.COMMUNICATION: 50_000, Part.OPERATOR: 30_000, Part.OTHER: 20_000,
    }  # fmt: skip


def test_a_trace_without_steps_is_one_step(tmp_path: Path) -> None:
    made = of_events(tmp_path, span("cpu_op", "a", 10, 5), span("cpu_op", "b", 20, 5))

    assert (made.steps.names, list(made.steps.duration_ns)) == (["whole trace"], [15_000])
    assert set(made.missing) == set(Missing)


def test_calls_that_cross_count_each_instant_of_their_thread_once(tmp_path: Path) -> None:
    # Rounding makes a child outlast its parent; self times still add up to the time that any call covers.
    made = of_events(tmp_path, span("cpu_op", "a", 0, 10), span("cpu_op", "b", 5, 10), span("cpu_op", "c", 12, 9))

    assert sum(us(made.operators, "host_self_s")) == 21
    assert all(check.passed for check in made.checks)


def test_names_of_files_are_different(tmp_path: Path) -> None:
    paths = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "host_1.pt.trace.json.gz", document(gpu_events())))

    assert found.names([found.of_file(path).trace for path in paths]) == ["host_1 (1)", "host_1 (2)"]
    assert found.stem(Path(".json")) == ".json"
