"""What the figures hold, read from their axes."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.report.figures import ink, plots_layers, plots_memory, plots_steps, saving
from bench.report.figures.ink import ACCENT, GREY

pytestmark = pytest.mark.rendered

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


def test_throughput_has_a_dot_a_trial_the_fastest_first_and_the_winner_stands_out(data: RunData) -> None:
    axes = plots_steps.throughput(data, tables.steps(data), {KEPT}).axes[0]
    dots = [c for c in axes.collections if isinstance(c, PathCollection)]

    assert [t.get_text() for t in axes.get_yticklabels()] == ["kept", "baseline"]
    assert [sorted(np.asarray(c.get_offsets())[:, 0]) for c in dots] == [[20, 32], [8, 8, 16, 16]]
    assert [to_hex(np.asarray(c.get_facecolor())[0]).upper() for c in dots] == [ACCENT, GREY.upper()]
    assert axes.get_xlim()[0] == 0
    assert "images/s" in axes.get_xlabel()


def test_throughput_marks_the_baseline_and_says_each_ratio(data: RunData) -> None:
    axes = plots_steps.throughput(data, tables.steps(data), {KEPT}).axes[0]
    (dashed,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    steps = tables.steps(data).set_index("variant_id")

    assert dashed.get_xdata()[0] == pytest.approx(steps.items_per_s[BASE])  # type: ignore[index]
    assert [t.get_text() for t in axes.texts] == [
        f"{steps.ratio[KEPT]:.2f}\N{MULTIPLICATION SIGN} {steps.verdict[KEPT]}", "10.7",
    ]  # fmt: skip


def test_phases_stack_to_the_step_and_say_it(data: RunData) -> None:
    axes = plots_steps.phases(data, tables.steps(data)).axes[0]
    ends = [sum(bars[row].get_width() for bars in axes.containers) for row in (0, 1)]
    words = [t.get_text() for t in axes.texts]

    assert ends == pytest.approx([1.01 * 3, 1.01 * 1.3])
    assert words[-2:] == ["3.03 s", "1.31 s"]
    assert any(word.startswith("forward ") for word in words)


def test_what_is_saved_in_a_layer_is_written_beside_it() -> None:
    rows = pd.DataFrame({"layer": ["0", "1"], "type": ["Conv2d", ""], "first_s": [0.2, 0.01], "second_s": [0.05, 0.03]})
    axes = plots_layers.saved(rows, "baseline", "kept").axes[0]

    assert [p.get_width() for p in axes.containers[0]] == pytest.approx([200, 10])
    assert [p.get_width() for p in axes.containers[1]] == pytest.approx([50, 30])
    assert [t.get_text() for t in axes.texts] == ["\N{MINUS SIGN}150 ms", "+20.0 ms"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0 Conv2d", "1"]


def test_memory_is_in_mebibytes_and_the_process_has_a_panel_of_its_own(data: RunData) -> None:
    held, process = plots_memory.memory(data, tables.memory(data)).axes

    assert [bars[0].get_width() for bars in held.containers] == [1, 0, 0, 2]
    assert held.get_xlabel() == "MiB that a step holds"
    assert process.get_xlabel() == "MiB, peak of the process"


def test_matplotlibs_own_settings_stay_as_they_were(data: RunData) -> None:
    before = dict(mpl.rcParams)
    plots_steps.throughput(data, tables.steps(data), set())

    assert before == dict(mpl.rcParams)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_each_mark_has_its_own_words_in_svg(number: int) -> None:
    figure = Figure()
    axes = figure.subplots()
    dots = axes.scatter(range(number), range(number))
    saving.tip(dots, *(f"<dot {i}>" for i in range(number)))
    root = ET.fromstring(saving.svg(figure, "one"))  # noqa: S314 - matplotlib wrote it
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]

    assert titles == [f"<dot {i}>" for i in range(number)]


def test_words_that_no_file_can_hold_are_escaped() -> None:
    figure = Figure()
    saving.tip(figure.subplots().scatter([1], [1]), "a\x1b\ud800")

    assert "a\\x1b\\ud800" in saving.svg(figure, "one").encode().decode()


def test_two_figures_of_a_page_share_no_id(data: RunData) -> None:
    figure = plots_steps.throughput(data, tables.steps(data), set())
    ids = [set(re.findall(r'id="([^"]*)"', saving.svg(figure, name))) for name in ("one", "two")]

    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]*)\)", saving.svg(figure, "one"))) <= ids[0]


CONTRASTS = [("#0072B2", True), ("#56B4E9", False), ("#000000", True), ("#F0E442", False)]


@pytest.mark.parametrize(("colour", "white"), CONTRASTS)
def test_text_on_a_colour_has_the_higher_contrast(colour: str, white: bool) -> None:
    """By the contrast ratio of WCAG 2.2 with its exact transfer function."""

    def luminance(text: str) -> float:
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert white == (1.05 / (luminance(colour) + 0.05) > (luminance(colour) + 0.05) / 0.05)
    assert ink.is_dark(colour) == white
