"""Runs side by side: which variants match, ratios and their spread. All runs here are made up."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.analyse.load import RunData, load
from bench.analyse.sides import compare
from bench.core.records import RecordError

GPU = "cuda-default-nchw-eager-b128"
GPU_BF16 = "cuda-bf16-nhwc-eager-b128"
CPU = "cpu-default-nchw-eager-b32"
MakeRun = Callable[..., Path]


def card(name: str) -> dict[str, Any]:
    """An environment with one made-up GPU."""
    return {"cuda_devices": [{"name": name, "memory_bytes": 24 * 2**30, "capability": [9, 0]}]}


def rounds(step_s: float, seed: int, count: int = 9) -> list[float]:
    """A pilot and rounds that swing by 1 %."""
    return [step_s, *(step_s * np.exp(np.random.default_rng(seed).normal(0, 0.01, count)))]


@pytest.fixture
def made(make_run: MakeRun) -> Callable[..., RunData]:
    """A run on a made-up GPU whose steps take `step_s`."""

    def of(name: str, gpu: str, step_s: float, more: Sequence[str] = (), **options: Any) -> RunData:  # noqa: ANN401
        steps = {(GPU, "A"): rounds(step_s, 0), (GPU, "A'"): rounds(step_s, 1)}
        steps |= {(v, "V"): rounds(0.5 * step_s, i) for i, v in enumerate(more, start=2)}
        return load(make_run(steps, name=name, environment=card(gpu), **options))

    return of


def test_variants_match_whatever_their_device_is_called(make_run: MakeRun) -> None:
    second = "cuda:1-default-nchw-eager-b128"
    runs = compare.sides(
        [
            load(make_run({(CPU, "V"): rounds(2, 0), (GPU, "V"): rounds(1, 1)}, name="one")),
            load(make_run({(second, "V"): rounds(1, 2), (CPU, "V"): rounds(2, 3)}, name="two")),
        ]
    )

    assert [match.ids for match in compare.matches(runs)] == [(CPU, CPU), (GPU, second)]


def test_the_same_device_is_matched_before_any_other(make_run: MakeRun) -> None:
    on_cpu, on_cuda = "cpu-default-nchw-eager-b64", "cuda-default-nchw-eager-b64"
    runs = compare.sides(
        [
            load(make_run({(on_cpu, "V"): rounds(2, 0), (on_cuda, "V"): rounds(1, 1)}, name="one")),
            load(make_run({(on_cuda, "V"): rounds(1, 2)}, name="two")),
        ]
    )

    assert [match.ids for match in compare.matches(runs)] == [(on_cpu, None), (on_cuda, on_cuda)]


def test_what_only_one_run_has_is_listed_and_names_stay_apart(made: Callable[..., RunData]) -> None:
    small = "cuda-default-nchw-eager-b64"
    runs = compare.sides([made("one", "X", 1.0, [GPU_BF16]), made("two", "Y", 1.0, [small])])
    found = compare.matches(runs)

    assert [match.ids for match in found] == [(GPU, GPU), (GPU_BF16, None), (None, small)]
    assert [match.shared for match in found] == [True, False, False]
    assert len({match.name for match in found}) == 3


def test_a_ratio_is_the_first_runs_seconds_over_the_others(made: Callable[..., RunData]) -> None:
    runs = compare.sides([made("one", "X", 1.0), made("two", "Y", 0.5)])
    table = compare.steps(runs, compare.matches(runs)).set_index("run")

    assert table.loc["two", "ratio"] == pytest.approx(2.0, rel=0.01)
    assert table.loc["two", "ratio_lo"] < 2.0 < table.loc["two", "ratio_hi"]
    assert math.isnan(table.loc["one", "ratio"])


def test_the_interval_is_welchs() -> None:
    # Welch (1947) by hand: means 0 and 1, variances 1 and 4 of 6 values: se^2 = 1/6 + 4/6, df = 7.353, t = 2.3418.
    unit = np.array([-1.0, -1.0, 0.0, 0.0, 1.0, 1.0])
    unit /= unit.std(ddof=1)
    found = compare.unpaired_ratio(unit, 1 + 2 * unit)
    half = 2.3418 * math.sqrt(5 / 6)

    assert math.log(found.estimate) == pytest.approx(-1)
    assert (math.log(found.lo), math.log(found.hi)) == pytest.approx((-1 - half, -1 + half), abs=1e-3)


def test_few_rounds_have_a_ratio_and_no_bounds() -> None:
    found = compare.unpaired_ratio(np.zeros(5), np.zeros(9))

    assert found.estimate == 1
    assert not found.known
    assert math.isnan(compare.unpaired_ratio(np.zeros(0), np.zeros(9)).estimate)


@pytest.mark.parametrize(("other", "normalised"), [("X", True), ("Y", False)])
def test_the_canary_normalises_between_equal_devices_alone(
    other: str, normalised: bool, made: Callable[..., RunData]
) -> None:
    runs = compare.sides(
        [
            made("one", "X", 1.0, canary={"convolution": 1e-3, "matmul": 2e-3, "copy": 4e-3}),
            made("two", other, 0.5, canary={"convolution": 0.8e-3, "matmul": 1.6e-3, "copy": 3.2e-3}),
        ]
    )
    row = compare.steps(runs, compare.matches(runs)).set_index("run").loc["two"]

    assert compare.drift(*(compare.canaries(run, "cuda") for run in runs)) == pytest.approx(1.25)
    assert row.ratio_less_drift == (
        pytest.approx(1.6, rel=0.01) if normalised else pytest.approx(math.nan, nan_ok=True)
    )


def of_schema_3(side: compare.Side) -> compare.Side:
    """The same run as if it was stored under schema 3."""
    header = msgspec.structs.replace(side.data.run, schema_version=3)
    return replace(side, data=replace(side.data, run=header))


def test_a_gpu_s_canary_of_an_earlier_schema_was_timed_otherwise(made: Callable[..., RunData]) -> None:
    """On the host, where now the device's own work is timed."""
    canary = {"convolution": 1e-3, "matmul": 2e-3, "copy": 4e-3}
    runs = compare.sides([made(name, "X", 1.0, canary=canary) for name in ("one", "two")])
    runs[0] = of_schema_3(runs[0])

    assert math.isnan(compare.drift_of(runs[0], runs[1], ("cuda", "cuda")))
    runs[1] = of_schema_3(runs[1])
    assert compare.drift_of(runs[0], runs[1], ("cuda", "cuda")) == pytest.approx(1)


def test_layers_and_memory_stand_side_by_side_with_ratios(made: Callable[..., RunData]) -> None:
    held = {"parameter": 2**23, "saved": 2**27, "allocator_peak": 2**28, "process_peak": 2**30}
    layers = [("0.0", "Conv2d", 0.2, 0.5), ("0.1", "ReLU", 0.1, 0.17)]
    runs = compare.sides(
        [
            made("one", "X", 1.0, layers=layers, memory={GPU: held}),
            made("two", "Y", 0.5, layers=layers, memory={GPU: {k: v // 2 for k, v in held.items()}}),
        ]
    )
    found = compare.matches(runs)
    layer = compare.layers(runs, found).set_index(["run", "layer"]).loc["two", "0.0"]
    memory = compare.memory(runs, found).set_index("run").loc["two"]

    assert layer.backward_s == pytest.approx(0.25, rel=0.02)
    assert layer.backward_s_ratio == pytest.approx(2, rel=0.02)
    assert memory.saved_bytes == 2**26
    assert memory.process_peak_bytes_ratio == 2


def test_facts_that_differ_are_marked(made: Callable[..., RunData]) -> None:
    table = compare.environments(compare.sides([made("one", "X", 1.0), made("two", "Y", 1.0)])).set_index("fact")

    assert table.index[table.differs].tolist() == ["cuda_devices"]


def test_an_ab_run_is_refused(make_ab: MakeRun, arms: Callable[..., Any]) -> None:
    with pytest.raises(RecordError, match="compare takes runs of python -m bench run"):
        compare.sides([load(make_ab(arms(9)))])


def test_runs_of_the_same_name_keep_apart(made: Callable[..., RunData]) -> None:
    data = made("one", "X", 1.0)

    assert [side.name for side in compare.sides([data, data])] == ["one", "one-2"]
