"""What bounds an epoch, threads, and the largest batch, told from the numbers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analyse import tables
from bench.analyse.load import load
from bench.report import pages
from bench.report.answer import answer
from bench.report.figures import plots_steps
from bench.report.outcome import curves

BASE = "cpu-default-nchw-eager-b32"
ONE = f"{BASE}-t1"
LARGEST = "cpu-default-nchw-eager-bmax"
MakeRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("loader", "step", "together", "told"),
    [(1000, 20, 19, "step"), (20, 1000, 19, "loader"), (25, 25, 12, "both"), (1000, 20, float("nan"), "")],
)
def test_the_slower_rate_bounds_what_comes_near_it(loader: float, step: float, together: float, told: str) -> None:
    assert curves.bound_by(loader, step, together) == told


def test_threads_that_are_not_set_stand_where_torch_puts_them(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): [1.0, 1.0], (ONE, "V"): [2.0, 2.0]}))
    steps = tables.steps(data)
    families = answer.families(data, steps, "threads")

    assert families == {"baseline": [ONE, BASE]}
    assert [1, 2] == [answer.place(data, v, "threads") for v in families["baseline"]]
    figure = plots_steps.curves(steps, families, lambda v: answer.place(data, v, "threads"), "threads")
    line = figure.axes[0].lines[0].get_xydata()
    assert [[1.0, 16.0], [2.0, 32.0]] == np.asarray(line).tolist()


def page_of(
    make_run: MakeRun, tmp_path: Path, tried: list[list[int | None]], limit: int | None, beyond: int | None = None
) -> str:
    folder = make_run(
        {(BASE, "A"): [1.0, 1.0]}, fits={LARGEST: {int(n or 0): p is not None for n, p in tried}},
        tried={LARGEST: tried}, largest={}, memory_limit_bytes={"cpu": limit},
        beyond_index={LARGEST: beyond} if beyond else {},
        excluded={LARGEST: ""},
    )  # fmt: skip
    return pages.write(load(folder), tmp_path).path.read_text()


def test_where_every_image_fits_there_is_no_more(make_run: MakeRun, tmp_path: Path) -> None:
    page = page_of(make_run, tmp_path, [[32, 1_000_000_000], [2000, 3_000_000_000]], None)

    assert "on this device is 2,000 images** (the peak was 2.79 GiB); there are no more train images." in page


def test_where_no_batch_fits_it_says_so(make_run: MakeRun, tmp_path: Path) -> None:
    page = page_of(make_run, tmp_path, [[2, None], [1, None]], 2**20)

    assert "no batch fits under a limit of 1.00 MiB, not even 1 images." in page


@pytest.mark.parametrize(("beyond", "by_index"), [(7672, True), (9000, False), (None, False)])
def test_a_limit_of_the_index_is_not_called_one_of_memory(
    make_run: MakeRun, tmp_path: Path, beyond: int | None, by_index: bool
) -> None:
    """Where a smaller batch than one beyond the index failed, it failed for memory."""
    page = page_of(make_run, tmp_path, [[32, 1_000_000_000], [7600, 3_000_000_000], [7672, None]], None, beyond)

    assert ("7,672 have more elements than torch's indices of 32 bits count" in page) is by_index
    assert ("7,672 did not." in page) is not by_index


def test_an_epoch_is_measured_only_over_all_60_000_images(make_run: MakeRun) -> None:
    whole = {"epoch": 3.0, "first_epoch": 9.0, "epoch_images": 60_000.0}
    rows: list[Any] = []
    for once in ({BASE: whole}, {BASE: whole | {"epoch_images": 2_000.0}}, {}):
        data = load(make_run({(BASE, "A"): [1.0, 1.0]}, once=once, name=f"run{len(rows)}"))
        rows.append(tables.steps(data).iloc[0])

    assert [("measured", 3.0), ("projected", 1875.0), ("projected", 1875.0)] == [
        (r.epoch_kind, r.epoch_s) for r in rows
    ]


def test_slow_convolutions_are_counted_from_the_kernels(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run({(BASE, "A"): [1.0, 1.0], (ONE, "V"): [1.5, 1.5]}, layers=[("0.0", "Conv2d", 0.2, 0.5)])
    layers = pd.read_csv(folder / "layers.csv", dtype=str, keep_default_na=False)
    layers["kernel"] = [
        "aten::mm" if v == ONE else "aten::mkldnn_convolution" for v in layers.variant_id
    ]  # fmt: skip
    layers.to_csv(folder / "layers.csv", index=False)
    page = pages.write(load(folder), tmp_path / "out").path.read_text()

    assert re.search(r"\| baseline +\| +2 \| +32\.0 \| +0 of 1", page)
    assert re.search(r"\| 1 thread +\| +1 \| +21\.3 \| +1 of 1", page)
