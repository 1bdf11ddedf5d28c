"""What the figures by round hold, read from their axes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.analyse.ab.cells import stage_of
from bench.analyse.ab.changes import gate
from bench.analyse.load import load
from bench.report.document import figures
from bench.report.figures import plots_rounds
from bench.report.trust import machine

pytestmark = pytest.mark.rendered

BASE = "cpu-default-nchw-eager-b32"
MakeRun = Callable[..., Path]
Steps = Callable[..., dict[tuple[str, str], list[float]]]
NAMES = {key: measure.name for key, measure in machine.MEASURES.items()}


def test_noise_shows_how_far_identical_code_differs_by_round_and_what_the_machine_did(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): [9.0, 2.0, 4.0], (BASE, "A'"): [9.0, 2.5, 4.5]}))
    ratios, *panels = plots_rounds.noise(data, [BASE], machine.state(data), NAMES, {BASE: 0.03}).axes
    (band,) = ratios.patches

    assert np.asarray(ratios.collections[0].get_offsets())[:, 1] == pytest.approx([2.0 / 2.5, 4.0 / 4.5])
    assert band.get_y() == pytest.approx(1 / 1.03)  # type: ignore[attr-defined]
    assert band.get_y() + band.get_height() == pytest.approx(1.03)  # type: ignore[attr-defined]
    assert [axes.get_ylabel() for axes in panels] == ["stolen %"]  # made-up trials have no pressure and no GPU
    assert set(np.asarray(panels[0].collections[0].get_offsets())[:, 1]) == {0.0}


def test_a_change_is_a_row_with_a_dot_a_round_and_its_interval(make_ab: MakeRun, arms: Steps) -> None:
    data = load(make_ab(arms(9, 0.1)))
    found = [change for change in gate(data) if change.verdict]
    names = [change.name for change in found]
    stages = stage_of(data, "measure"), stage_of(data, "confirm")
    axes = plots_rounds.changes(found, names, *stages, 0.03).axes[0]
    bars = [c.get_segments()[0] for c in axes.collections[: len(found)]]  # type: ignore[attr-defined]
    # A row has its dots and, at the edges, what lies beyond them.
    offsets = [np.asarray(c.get_offsets()).reshape(-1, 2) for c in axes.collections[len(found) :]]
    dots = [np.concatenate(offsets[i : i + 3]) for i in range(0, len(offsets), 3)]

    assert [t.get_text() for t in axes.get_yticklabels()] == names
    assert [len(d) for d in dots] == [9] * len(found)
    step, ratio = dots[0][:, 0], found[0].ratio
    assert np.median(step) == pytest.approx(10, abs=1.5)
    assert bars[0][:, 0] == pytest.approx([100 * (1 / ratio.hi - 1), 100 * (1 / ratio.lo - 1)])


def test_the_band_of_the_noise_is_the_change_that_the_call_declared(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): [9.0, 2.0, 4.0], (BASE, "A'"): [9.0, 2.5, 4.5]}, delta=0.2))
    (figure,) = figures(machine.blocks(data, [BASE]))
    (band,) = figure.draw().axes[0].patches

    assert band.get_y() + band.get_height() == pytest.approx(1.2)  # type: ignore[attr-defined]
