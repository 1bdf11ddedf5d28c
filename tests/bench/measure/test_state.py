"""What is told of the machine, and of a GPU that answers or does not."""

from pathlib import Path
from unittest import mock

import pytest
import torch

from bench.measure import state


def test_load_stolen_time_and_switches_are_numbers() -> None:
    told = state.State().read(torch.device("cpu"))

    assert set(told) == {"load_1min", "steal_s", "pressure_s", "involuntary_switches"}
    assert all(isinstance(value, (int, float)) and value >= 0 for name, value in told.items() if name != "pressure_s")


def test_pressure_is_the_time_in_which_some_task_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel's Documentation/accounting/psi.rst: totals are in microseconds.
    told = tmp_path / "cpu"
    told.write_text("some avg10=0.00 avg60=0.03 avg300=0.33 total=3311495\nfull avg10=0.00 total=0\n")
    monkeypatch.setattr(state, "PRESSURE", told)

    assert state.pressure_s() == 3.311495
    monkeypatch.setattr(state, "PRESSURE", tmp_path / "nowhere")
    assert state.pressure_s() is None
    assert state.State().read(torch.device("cpu"))["pressure_s"] is None


def test_a_gpu_tells_its_clock_heat_and_power_in_base_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("clock_rate", 1980), ("temperature", 41), ("power_draw", 305_000)):
        monkeypatch.setattr(torch.cuda, name, mock.create_autospec(getattr(torch.cuda, name), return_value=value))
    told = state.gpu_state(torch.device("cuda"))

    assert (told["gpu_clock_hz"], told["gpu_temperature_c"], told["gpu_power_w"]) == (1.98e9, 41, 305)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_what_a_gpu_does_not_tell_is_blank() -> None:
    assert set(state.gpu_state(torch.device("cuda")).values()) == {None}
