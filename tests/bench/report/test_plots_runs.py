"""What the figures over runs hold, read from their axes. The runs are made up."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.analyse.load import load
from bench.analyse.sides import compare
from bench.analyse.sides.compare import Side
from bench.report.figures import plots_runs

pytestmark = pytest.mark.rendered

GPU = "cuda-default-nchw-eager-b128"
MakeRun = Callable[..., Path]


@pytest.fixture
def sides(make_run: MakeRun) -> Callable[[float], list[Side]]:
    """Two runs, the second so many times as fast."""

    def made(times: float) -> list[Side]:
        return compare.sides(
            [
                load(
                    make_run(
                        {(GPU, "V"): [1.0, 1.28 / t, 1.28 / t]}, name=name, layers=[("0", "Conv2d", 0.25, 0.5)],
                        memory={GPU: {"parameter": 1.0, "allocator_peak": 2**20, "process_peak": 2**21}},
                    )
                )
                for name, t in (("slow", 1.0), ("fast", times))
            ]
        )  # fmt: skip

    return made


@pytest.mark.parametrize(("times", "scale"), [(2.0, "linear"), (20.0, "log")])
def test_throughput_has_a_colour_a_run_and_a_scale_that_holds_both(
    times: float, scale: str, sides: Callable[[float], list[Side]]
) -> None:
    runs = sides(times)
    axes = plots_runs.throughput(runs, compare.matches(runs)).axes[0]
    slow, fast = (np.asarray(c.get_offsets())[:, 0] for c in axes.collections[::2])

    assert slow == pytest.approx([100, 100])
    assert fast == pytest.approx([100 * times] * 2)
    assert axes.get_xscale() == scale
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["slow", "fast"]  # type: ignore[union-attr]


@pytest.mark.parametrize(("times", "label"), [(2.0, "ms a step"), (20.0, "ms a step (own scale)")])
def test_layers_have_a_panel_a_run(times: float, label: str, sides: Callable[[float], list[Side]]) -> None:
    runs = sides(times)
    table = compare.layers(runs, compare.matches(runs))
    left, right = plots_runs.layers(table, ["slow", "fast"]).axes

    assert [bar.get_width() for bar in left.containers[1]] == pytest.approx([640, 0])
    assert [bar.get_width() for bar in right.containers[1]] == pytest.approx([640 / times, 0])
    assert right.get_xlabel() == label


def test_memory_is_in_mebibytes(sides: Callable[[float], list[Side]]) -> None:
    runs = sides(2.0)
    matches = compare.matches(runs)
    axes = plots_runs.memory(runs, matches, compare.memory(runs, matches)).axes[0]

    assert [axes.containers[i][0].get_width() for i in (0, 2)] == [1, 1]
    assert [c.get_offsets()[0][0] for c in axes.collections[:2]] == [2, 2]  # type: ignore[index]
