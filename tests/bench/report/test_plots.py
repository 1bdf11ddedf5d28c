"""What the figures hold, read from their axes."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.report.figures import plots

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
MakeRun = Callable[..., Path]


@pytest.fixture
def data(make_run: MakeRun) -> RunData:
    return load(
        make_run(
            {(BASE, "A"): [9.0, 2.0, 4.0], (BASE, "A'"): [9.0, 2.0, 4.0], (KEPT, "V"): [9.0, 1.0, 1.6]},
            layers=[("0", "Conv2d", 0.25, 0.5)], memory={BASE: {"parameter": 2**20, "saved": 2**21}},
        )
    )  # fmt: skip


def test_throughput_has_a_dot_a_trial_of_a_round_and_a_bar_at_the_median(data: RunData) -> None:
    axes = plots.throughput(data, tables.steps(data)).axes[0]
    dots = [sorted(c.get_offsets()[:, 0]) for c in axes.collections[::2]]  # type: ignore[index,arg-type]

    assert dots == [[8, 8, 16, 16], [20, 32]]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["baseline", "kept"]
    assert axes.get_xlim()[0] == 0
    assert "images/s" in axes.get_xlabel()


def test_phases_stack_to_the_step(data: RunData) -> None:
    axes = plots.phases(data, tables.steps(data)).axes[0]
    ends = [sum(bars[row].get_width() for bars in axes.containers) for row in (0, 1)]

    assert ends == pytest.approx([1.01 * 3, 1.01 * 1.3])


def test_layers_share_one_scale_and_show_milliseconds(data: RunData) -> None:
    figure = plots.layers(data, tables.layers(data), [BASE, KEPT])
    left, right = figure.axes

    assert left.get_xlim() == right.get_xlim()
    assert [p.get_width() for p in left.containers[0]] == pytest.approx([750, 0])
    assert [p.get_width() for p in right.containers[1]] == pytest.approx([650, 0])
    assert [t.get_text() for t in left.get_yticklabels()] == ["0 Conv2d", "between"]


def test_memory_is_in_mebibytes(data: RunData) -> None:
    axes = plots.memory(data, tables.memory(data)).axes[0]

    assert [bars[0].get_width() for bars in axes.containers] == [1, 0, 0, 2]
    assert axes.get_xlabel() == "MiB"


def test_matplotlibs_own_settings_stay_as_they_were(data: RunData) -> None:
    before = dict(mpl.rcParams)
    plots.throughput(data, tables.steps(data))

    assert before == dict(mpl.rcParams)
