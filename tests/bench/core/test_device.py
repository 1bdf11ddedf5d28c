"""Why torch sees no GPU, or has nothing to run on the one it sees."""

import itertools
from dataclasses import replace

import pytest
import torch

from bench.core.axes.device import runs_on
from bench.core.axes.place import Cuda, Device, Machine, Unseen
from bench.core.variants import Variant
from bench.plan.matrix import excluded_reason

PYPI = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")
"""Of torch 2.14 for CUDA 13.0 on x86_64 (torch.cuda.PYTORCH_RELEASES_CODE_CC), with the newest as PTX."""
TORCH = Cuda(torch="2.14.1", version="13.0")


def why_not(variant: Variant, cuda: Cuda) -> str:
    return excluded_reason(variant, Machine(cuda=cuda, cxx_compiler=True, c_compiler=True, python_headers=True))


@pytest.mark.parametrize(
    ("driver", "version", "why"),
    [
        ("", "13.0", Unseen.NO_DRIVER),
        ("", "", Unseen.NO_DRIVER),
        ("580.65.06", "", Unseen.CPU_TORCH),
        ("575.57.08", "13.0", Unseen.OLD_DRIVER),
        ("580.65.06", "13.0", Unseen.UNKNOWN),
        ("535.183.01", "12.8", Unseen.UNKNOWN),  # CUDA 12 works with any driver from 525 on
        ("470.256.02", "12.6", Unseen.OLD_DRIVER),
        ("470.256.02", "14.0", Unseen.UNKNOWN),  # what CUDA 14 needs is not known yet
    ],
)
def test_why_torch_sees_no_device(driver: str, version: str, why: Unseen) -> None:
    assert Cuda(driver=driver, torch="2.14.1", version=version).unseen is why


def test_where_a_device_is_seen_its_driver_does_not_matter() -> None:
    assert replace(TORCH, devices=(Device(capability=(8, 0)),), driver="470.1").unseen is None


@pytest.mark.parametrize(
    ("cuda", "told"),
    [
        (replace(TORCH, driver="535.183.01"), ["535.183.01", "torch 2.14.1", "CUDA 13.0", "driver 580", "NIN_PYTHON"]),
        (Cuda(driver="580.65.06", torch="2.14.1+cpu"), ["580.65.06", "torch 2.14.1+cpu", "without CUDA", "NIN_PYTHON"]),
        (replace(TORCH, driver="580.65.06"), ["580.65.06", "torch 2.14.1", "CUDA_VISIBLE_DEVICES"]),
    ],
)
def test_the_reason_names_both_versions_and_the_way_out(cuda: Cuda, told: list[str]) -> None:
    reason = why_not(Variant(device="cuda"), cuda)

    assert [words for words in told if words not in reason] == []
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("capability", "architecture", "runs"),
    [
        ((8, 6), "sm_80", True),
        ((8, 0), "sm_86", False),
        ((9, 0), "sm_80", False),
        ((9, 0), "compute_80", True),
        ((7, 0), "compute_75", False),
        ((9, 0), "sm_90a", True),
        ((12, 1), "sm_120a", False),
        ((12, 1), "sm_120f", True),
        ((12, 0), "compute_100f", False),
        ((9, 0), "gfx90a", True),  # of another maker: nothing is known against it
    ],
)
def test_which_devices_run_what_is_built_for_an_architecture(
    capability: tuple[int, int], architecture: str, runs: bool
) -> None:
    assert runs_on(capability, architecture) is runs


@pytest.mark.skipif(not hasattr(torch.cuda, "_code_compatible_with_device"), reason="an older torch has no such rule")
def test_compiled_kernels_run_where_torch_says_so() -> None:
    devices = [(7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (10, 3), (12, 0), (12, 1)]
    for (major, minor), built in itertools.product(devices, (70, 75, 80, 86, 90, 100, 120)):
        expected = torch.cuda._code_compatible_with_device(10 * major + minor, built)
        assert runs_on((major, minor), f"sm_{built}") == expected, (major, minor, built)


def test_a_torch_without_kernels_for_a_card_is_told_with_its_list() -> None:
    pascal = replace(TORCH, devices=(Device(capability=(6, 1)),), architectures=PYPI)
    reason = why_not(Variant(device="cuda"), pascal)

    assert "compute capability is 6.1" in reason
    assert " ".join(PYPI) in reason
    for capability in ((7, 5), (8, 9), (12, 1), (13, 0)):  # the last by PTX
        seen = replace(TORCH, devices=(Device(capability=capability),), architectures=PYPI)
        assert why_not(Variant(device="cuda"), seen) == ""


def test_a_variant_is_judged_by_the_device_that_it_names() -> None:
    two = replace(TORCH, devices=(Device(capability=(9, 0)), Device(capability=(7, 5))))

    assert why_not(Variant(device="cuda", precision="bf16"), two) == ""
    assert why_not(Variant(device="cuda:0", precision="bf16"), two) == ""
    assert why_not(Variant(device="cuda:1", precision="bf16"), two).endswith("this device has 7.5")
    assert why_not(Variant(device="cuda:2"), two) == "only 2 CUDA devices"


@pytest.mark.parametrize(
    ("multiprocessors", "tunes"), [(40, False), (67, False), (68, True), (132, True), (None, True)]
)
def test_max_autotune_needs_a_gpu_that_torch_calls_big(multiprocessors: int | None, tunes: bool) -> None:
    """40 are a T4's, 132 an H100's; 68 is torch._inductor.utils.is_big_gpu's bound."""
    seen = replace(TORCH, devices=(Device(capability=(8, 0), multiprocessors=multiprocessors),))
    reason = why_not(Variant(device="cuda", compile_mode="max-autotune"), seen)

    assert bool(reason) is not tunes
    assert tunes or f"this device has {multiprocessors}" in reason
    assert why_not(Variant(device="cuda", compile_mode="reduce-overhead"), seen) == ""
