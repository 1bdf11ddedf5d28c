"""What NVML tells of a GPU comes in base units, and what it does not tell is None."""

import ast
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
import torch

from bench.measure.system import nvml
from bench.measure.system.nvml import Gpu
from tests.bench.fake_nvml import ANSWERS, FakeNvml

CUDA = torch.device("cuda")
QUESTIONS = (
    "clock_hz", "temperature_c", "power_w", "throttle_reasons", "power_violation_ns", "thermal_violation_ns",
    "energy_mj",
)  # fmt: skip


def answers(gpu: Gpu) -> dict[str, object]:
    return {question: getattr(gpu, question)() for question in QUESTIONS}


def test_every_answer_is_in_its_unit_and_an_idle_device_is_no_reason(fake_nvml: FakeNvml) -> None:
    """Units by NVML's reference: MHz, mW, nanoseconds and mJ; 0x1 is nvmlClocksEventReasonGpuIdle."""
    assert answers(Gpu(CUDA)) == {
        "clock_hz": 1.98e9, "temperature_c": 41.0, "power_w": 305.0, "throttle_reasons": 0x4,
        "power_violation_ns": 5_000_000_000, "thermal_violation_ns": 5_000_000_000, "energy_mj": 7_000_000,
    }  # fmt: skip
    assert fake_nvml.asked.count("nvmlInit") == fake_nvml.asked.count("nvmlDeviceGetHandleByUUID") == 1


def test_a_driver_that_knows_the_older_name_alone_is_asked_by_it(fake_nvml: FakeNvml) -> None:
    fake_nvml.silent = {"nvmlDeviceGetCurrentClocksEventReasons"}

    assert Gpu(CUDA).throttle_reasons() == 0x8


def test_what_is_not_told_is_none_and_the_rest_is_told(fake_nvml: FakeNvml) -> None:
    fake_nvml.silent = {"nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetViolationStatus"}
    told = answers(Gpu(CUDA))

    assert {name for name, value in told.items() if value is None} == {
        "power_violation_ns", "thermal_violation_ns", "energy_mj",
    }  # fmt: skip


def test_ecc_is_as_it_is_now_and_memory_is_this_process_s_own(
    fake_nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running(*pids: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=pid * 2**20) for pid in pids]

    answers_with = {"nvmlDeviceGetEccMode": [1, 0], "nvmlDeviceGetComputeRunningProcesses": running(7, os.getpid())}
    for name, value in answers_with.items():
        monkeypatch.setitem(ANSWERS, name, value)
    assert (Gpu(CUDA).ecc(), Gpu(CUDA).used_bytes()) == (True, os.getpid() * 2**20)

    monkeypatch.setitem(ANSWERS, "nvmlDeviceGetComputeRunningProcesses", running(7))
    fake_nvml.silent = {"nvmlDeviceGetEccMode"}
    assert (Gpu(CUDA).ecc(), Gpu(CUDA).used_bytes()) == (None, None)


@pytest.mark.parametrize("silent", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_where_nvml_does_not_open_nothing_is_told(silent: str, fake_nvml: FakeNvml) -> None:
    fake_nvml.silent = {silent}

    assert set(answers(Gpu(CUDA)).values()) == {None}


def test_where_there_is_no_nvml_nothing_is_told(fake_nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert set(answers(Gpu(CUDA)).values()) == {None}
    assert fake_nvml.asked == []


def test_every_name_of_nvml_exists() -> None:
    """A name that does not would only ever give None."""
    tree = ast.parse(Path(nvml.__file__).read_text())
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) if node.attr[:4].upper() == "NVML"}

    assert len(named) > 10
    assert {name for name in named if not hasattr(pynvml, name)} == set()
