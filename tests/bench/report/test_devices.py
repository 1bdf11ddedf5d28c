"""A run on Apple's GPU beside one of Intel's: labels, hardware, facts, and nothing that only CUDA has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.analyse import tables
from bench.analyse.history.gather import setting_of
from bench.analyse.load import RunData, load
from bench.analyse.verdicts import FASTER
from bench.report import pages
from bench.report.outcome.title import hardware

MPS, FAST = "mps-default-nchw-eager-b128", "mps-bf16-nchw-eager-b128"
XPU = "xpu:1-default-nchw-eager-b128"
DEVICES: list[dict[str, Any]] = [
    {
        "kind": "mps", "name": "Apple M2 | Max", "memory_bytes": 2**34, "compute_units": 38, "timing": "synchronised",
        "driver": None,
    },
    {"kind": "xpu", "name": "Arc B580", "driver": "1.6.3", "timing": "events"},
    {"kind": "xpu", "name": "Arc A770", "timing": "events"},
]  # fmt: skip


@pytest.fixture
def data(make_run: Callable[..., Path]) -> RunData:
    """The second variant takes half the time of the first; the other device's baseline takes twice as long."""
    steps = {
        (MPS, "A"): [1.0, 1.01] * 6, (MPS, "A'"): [1.01, 1.0] * 6, (FAST, "V"): [0.5, 0.505] * 6,
        (XPU, "A"): [2.0, 2.02] * 6, (XPU, "A'"): [2.02, 2.0] * 6,
    }  # fmt: skip
    excluded = {"xpu:2-default-nchw-eager-b128": "only 2 XPU devices"}
    environment = {"accelerators": DEVICES, "built_for": ["mps", "xpu"]}
    return load(make_run(steps, excluded=excluded, environment=environment))


def test_each_device_has_its_own_baseline_and_verdicts(data: RunData) -> None:
    table = tables.steps(data).set_index("variant_id")

    assert table.loc[FAST, "ratio"] == pytest.approx(2.0, rel=0.02)
    assert table.loc[FAST, "verdict"] == FASTER
    assert data.variants[FAST].baseline.id == MPS
    assert data.variants[XPU].is_baseline


def test_the_page_names_the_devices_and_says_how_they_were_timed(data: RunData, tmp_path: Path) -> None:
    page = pages.write(data, tmp_path / "reports").path.read_text()

    assert "bf16 (mps)" in page
    assert "baseline (xpu:1)" in page
    assert "Not run, only 2 XPU devices: `xpu:2-default-nchw-eager-b128`." in page
    timed = "MPS, 16.0 GiB, 38 compute units, steps timed by the host, which waits for it"
    assert f"Apple M2 \\| Max ({timed}), Arc B580 (XPU, driver 1.6.3, steps timed by events)" in page
    assert "launch-bound" not in page


def test_the_title_has_the_hardware(data: RunData) -> None:
    assert "Arc B580, Arc A770" in hardware(data.run.environment)


def test_a_history_tells_devices_apart_by_their_hardware(data: RunData) -> None:
    settings = [dict(setting_of(data.run, device)).get("GPU") for device in ("cpu", "mps", "xpu", "xpu:1")]

    assert settings == [None, "Apple M2 | Max", "Arc B580", "Arc A770"]
