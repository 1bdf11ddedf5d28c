"""The machine's state beside the rounds, and what is said of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analyse.load import load
from bench.report import pages
from bench.report.figures import saving
from bench.report.trust import machine

BASE = "cpu-default-nchw-eager-b32"
GPU = "cuda-default-nchw-eager-b128"
MakeRun = Callable[..., Path]


@pytest.fixture
def trials() -> pd.DataFrame:
    """24 trials of which the slow ones were under pressure, on a GPU that was hot in the last round."""
    pressure = np.linspace(0, 0.5, 24)
    return pd.DataFrame(
        {
            "round": np.repeat([1, 2, 3], 8), "usual": 0.9 + pressure, "load": 1.0, "stolen": np.nan,
            "pressure": pressure, "switches": np.tile([1.0, 2.0], 12), "clock": 1980.0, "temperature": 60.0,
            "power": 300.0, "capped": np.nan, "hot": np.nan,
            "throttle": [""] * 8 + ["0x0"] * 8 + ["0x0"] * 7 + ["0x60"],
        }
    )  # fmt: skip


def test_a_row_a_round_without_what_could_not_be_read(trials: pd.DataFrame) -> None:
    table = machine.by_round(trials, {"A' over A": pd.Series({1: 1.0, 3: 0.9871})})

    assert table["step vs median"].tolist() == ["-2 %", "+15 %", "+32 %"]
    assert table["A' over A"].tolist() == ["1.000", "", "0.987"]
    assert "stolen" not in table
    assert table["CPU pressure"].tolist() == ["7.6 %", "25 %", "42 %"]
    assert table["GPU held back by"].tolist() == ["nothing", "nothing", "heat (software), heat (hardware)"]


def test_what_nvml_says_of_an_idle_gpu_is_no_reason() -> None:
    """0x1 is nvmlClocksEventReasonGpuIdle: runs of before it was left out hold it."""
    assert machine.throttle_words(pd.Series(["0x1", "0x5"])) == "power cap"
    assert machine.throttle_words(pd.Series(["0x1", ""])) == "nothing"


def test_for_how_long_a_gpu_was_held_back_stands_beside_the_rounds(make_run: MakeRun, tmp_path: Path) -> None:
    held = {"power_throttled": 0.25, "heat_throttled": 0.0}
    data = load(make_run({(GPU, "A"): [1.0] * 3, (GPU, "A'"): [1.0] * 3}, metrics={GPU: held}))
    page = pages.write(data, tmp_path / "reports").path.read_text()

    assert "held by power 25 %, held by heat 0.0 %." in page
    assert machine.by_round(machine.state(data), {})["held by power"].tolist() == ["25 %"] * 2
    assert "*Held by power*" in page


def test_what_went_along_with_slow_trials_is_said_and_nothing_else(trials: pd.DataFrame) -> None:
    assert machine.along_with(trials) == [
        "Trials with more waiting for a CPU were slower than usual (rank correlation 1.00, 24 trials)."
    ]
    assert machine.along_with(trials.head(19)) == []
    assert machine.along_with(trials.assign(pressure=np.tile([0.1, 0.2], 12))) == []


def test_a_busy_machine_is_named_unless_the_variants_crowd_it_themselves(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = f"{BASE}-workers"
    data = load(make_run({(BASE, "A"): [1.0] * 4, (workers, "V"): [1.0] * 4}))
    quiet = machine.state(data).assign(pressure=0.01)
    crowded = quiet.assign(pressure=quiet.pressure.where(quiet.variant_id == BASE, 0.9))
    shared = quiet.assign(pressure=quiet.pressure.where(quiet.variant_id == workers, 0.2))
    sentences = []
    for state in (quiet, crowded, shared):
        monkeypatch.setattr(machine, "state", lambda _, state=state: state)
        sentences.append(machine.busy_words(data))

    assert sentences[:2] == [[], []]
    assert "CPU pressure 20 %" in sentences[2][0]


@pytest.mark.parametrize(
    ("variant", "facts", "threads"),
    [
        (BASE, {"torch_threads": 8, "cores": 2, "affinity_cores": 8, "cpu_quota": 2.0}, 2),
        (BASE, {"torch_threads": 2, "cores": 1, "cpu_quota": 1.5}, 1),
        (BASE, {"torch_threads": 8, "cores": 1, "cpu_quota": 0.25}, 1),
        (BASE, {"torch_threads": 8, "cores": 8, "cpu_quota": 2.0}, 2),  # a run of before cores followed the quota
        (BASE, {"torch_threads": 2, "cores": 2, "cpu_quota": 2.0}, None),
        (BASE, {"torch_threads": 1, "cores": 1, "cpu_quota": 0.25}, None),  # no fewer can be had
        (BASE, {"torch_threads": 8, "cores": 2}, None),
        (f"{BASE}-t2", {"torch_threads": 8, "cores": 2, "cpu_quota": 2.0}, None),
        ("cuda-default-nchw-eager-b32", {"torch_threads": 8, "cores": 2, "cpu_quota": 2.0}, None),
    ],
)
def test_more_threads_than_the_quota_are_named_with_what_to_set(
    variant: str,
    facts: dict[str, Any],
    threads: int | None,
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "png", lambda _: b"")  # drawing is slow, and is held by a test of its own
    data = load(make_run({(variant, "A"): [1.0] * 4, (variant, "A'"): [1.0] * 4}, environment=facts))
    sentences = machine.quota_words(data)

    assert len(sentences) == (threads is not None)
    page = pages.write(data, tmp_path / "reports").path.read_text()
    answer = page.partition("## Variants")[0]
    assert ("container's quota" in answer) == bool(sentences)
    if threads is not None:
        assert f"PyTorch takes {facts['torch_threads']} threads" in answer
        assert f"--axis threads={threads}, or OMP_NUM_THREADS={threads}." in answer


def test_usual_is_against_the_own_arm(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): [9.0, 1.0, 2.0, 3.0], (BASE, "A'"): [9.0, 4.0, 4.0, 4.0]}))
    state = machine.state(data)

    assert state.usual.tolist() == [0.5, 1.0, 1.5, 1.0, 1.0, 1.0]
    assert state.load.tolist() == [1.0] * 6
    assert state.pressure.isna().all()
