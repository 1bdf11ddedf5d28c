"""What is told of the machine, and of a GPU that answers or does not."""

from unittest import mock

import pytest
import torch

from bench.measure import state


def test_load_stolen_time_and_switches_are_numbers() -> None:
    told = state.State().read(torch.device("cpu"))

    assert set(told) == {"load_1min", "steal_s", "involuntary_switches"}
    assert all(isinstance(value, (int, float)) and value >= 0 for value in told.values())


def test_a_gpu_tells_its_clock_heat_and_power_in_base_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("clock_rate", 1980), ("temperature", 41), ("power_draw", 305_000)):
        monkeypatch.setattr(torch.cuda, name, mock.create_autospec(getattr(torch.cuda, name), return_value=value))
    told = state.gpu_state(torch.device("cuda"))

    assert (told["gpu_clock_hz"], told["gpu_temperature_c"], told["gpu_power_w"]) == (1.98e9, 41, 305)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_what_a_gpu_does_not_tell_is_blank() -> None:
    assert set(state.gpu_state(torch.device("cuda")).values()) == {None}
