"""What NVIDIA's driver tells, from a fake NVML and the lines that its module writes."""

import sys
from pathlib import Path

import pynvml
import pytest

from bench.machine import gpus
from tests.bench.fake_nvml import WHOLE, FakeNvml

NOTHING = gpus.Facts()


def test_the_facts_of_a_gpu_are_in_base_units_and_count_a_process_once() -> None:
    assert gpus.by_uuid(FakeNvml(WHOLE)) == {
        "aaaa": gpus.Facts(power_limit_w=70.0, max_sm_clock_hz=1.59e9, mig=False, processes=2)
    }


def test_what_a_gpu_does_not_tell_is_none() -> None:
    silent = dict.fromkeys(("power_mw", "clock_mhz", "mig", "pids", "graphics"))

    assert gpus.by_uuid(FakeNvml(silent)) == {"aaaa": NOTHING}


def test_a_slice_is_found_by_its_own_uuid_with_the_facts_of_its_gpu() -> None:
    found = gpus.by_uuid(FakeNvml({"mig": [1, 1], "slices": [{"uuid": "MIG-bbbb"}, {"uuid": "MIG-cccc"}]}, WHOLE))

    assert list(found) == ["aaaa", "bbbb", "cccc"]
    assert found["bbbb"].power_limit_w == 70.0
    assert [found["bbbb"].mig, found["cccc"].mig] == [True, True]


@pytest.mark.parametrize(
    "line",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.183.01  Release Build  (dvs-builder@U16-I3)",
        "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  535.183.01  Release Build  (dvs-builder@U22)",
    ],
)
def test_without_nvml_the_kernels_module_tells_the_driver(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version").write_text(f"{line}\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n")
    monkeypatch.setattr(gpus, "MODULE", tmp_path / "version")

    assert gpus.driver(None) == "535.183.01"
    assert gpus.driver(FakeNvml(WHOLE, driver=None)) == "535.183.01"
    assert gpus.driver(FakeNvml(WHOLE)) == "580.65.06"


def test_without_a_driver_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    fake = FakeNvml()
    vars(fake)["nvmlInit"] = refuse
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(gpus, "MODULE", tmp_path / "nowhere")

    assert gpus.nvml() is None
    assert gpus.driver(None) is None
    assert gpus.by_uuid(None) == {}
