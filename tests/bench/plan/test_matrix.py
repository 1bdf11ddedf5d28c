"""Presets, what axes make of them, and why a variant can't run."""

import re
from dataclasses import replace

import pytest

from bench.cli.calls import entries_of
from bench.core.axes.place import Cuda, Device, Machine
from bench.core.variants import AXES, Variant, VariantError
from bench.plan.choices import Choices
from bench.plan.matrix import ab_matrix, excluded_reason, matrix, on_kept, preset
from bench.plan.presets import thread_counts

LINUX = Machine(cxx_compiler=True, glibc=(2, 36), huge_pages="madvise", libraries={"tcmalloc": "libt.so"}, cores=2)
H100 = Device(capability=(9, 0), multiprocessors=132)
T4 = Device(capability=(7, 5), multiprocessors=40)
GPU = replace(LINUX, cuda=Cuda(devices=(H100,)), c_compiler=True, python_headers=True)
OLD = replace(LINUX, cuda=Cuda(driver="535.183.01", torch="2.14.1", version="13.0"))


def ids(entries: object, *, pilot_only: bool = False) -> list[str]:
    return [e.variant.id for e in entries if e.pilot_only == pilot_only]  # type: ignore[attr-defined]


def test_quick_on_the_cpu_is_the_designs() -> None:
    entries = preset("quick", "cpu")

    assert ids(entries) == [
        "cpu-default-nchw-eager-b32",
        "cpu-default-nchw-eager-b32-notebook-syncstep",
        "cpu-default-nchw-eager-b32-kept",
        "cpu-default-nhwc-eager-b32",
        "cpu-default-nhwc-eager-b32-kept",
        "cpu-default-nhwc-inductor-b32-kept",
        "cpu-default-nchw-eager-b32-hugepages",
        "cpu-bf16-nchw-eager-b32",
        "cpu-bf16-nhwc-eager-b32-kept",
    ]
    assert ids(entries, pilot_only=True) == [
        "cpu-default-nchw-eager-b32-notebook",
        "cpu-default-nchw-eager-b32-workers",
    ]


def test_look_has_three_variants_on_either_device() -> None:
    assert ids(preset("look", "cpu"))[2] == "cpu-default-nhwc-eager-b32-kept"
    assert ids(preset("look", "cuda"))[2] == "cuda-bf16-nhwc-eager-b128"
    assert [3, 3] == [len(preset("look", d)) for d in ("cpu", "cuda")]


def test_cudnn_s_trials_are_measured_on_cuda_by_the_longer_presets() -> None:
    tried = {
        (name, device): [i for i in ids(preset(name, device)) if "cudnnbench" in i]
        for name in ("look", "quick", "full")
        for device in ("cpu", "cuda")
    }

    assert {
        ("quick", "cuda"): ["cuda-default-nchw-eager-b128-cudnnbenchon"],
        ("full", "cuda"): ["cuda-bf16-nhwc-eager-b128-cudnnbenchon"],
    } == {key: found for key, found in tried.items() if found}


def test_full_has_every_value_of_every_axis() -> None:
    for device in ("cpu", "cuda"):
        variants = [e.variant for e in preset("full", device, cores=6)]
        assert len(set(variants)) == len(variants)
        for name, axis in AXES.items():
            seen = {str(getattr(v, name)) for v in variants}
            if name in ("precision", "memory_format", "compile_mode", "loader", "sync", "optimizer"):
                assert set(axis.values) == seen, name
    on_cpu = [e.variant for e in preset("full", "cpu", cores=6)]

    assert {v.allocator for v in on_cpu} == set(AXES["allocator"].values)
    assert {v.threads for v in on_cpu} == {None, 1, 2, 4, 6}
    assert {v.batch_size for v in on_cpu} == {8, 16, 32, 64, 128, "max"}
    assert [v.batch_size for v in [e.variant for e in preset("full", "cpu") if e.pilot_only]] == ["max"]


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])])
def test_threads_are_counted_in_powers_of_two_up_to_the_cores(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts


def test_an_unknown_preset_is_an_error_that_lists_them() -> None:
    with pytest.raises(VariantError, match="unknown preset 'slow': the presets are look, quick, full"):
        preset("slow", "cpu")


def test_an_axis_replaces_the_presets_value_everywhere() -> None:
    entries = matrix("look", ["cpu"], ["batch_size=4,8"])

    assert ids(entries) == [
        f"cpu-default-{rest}"
        for batch in (4, 8)
        for rest in (
            f"nchw-eager-b{batch}",
            f"nchw-eager-b{batch}-notebook-syncstep",
            f"nhwc-eager-b{batch}-kept",
        )
    ]


def test_what_an_axis_makes_equal_is_measured_once() -> None:
    entries = matrix("quick", ["cpu"], ["allocator=default", "memory_format=nchw"])

    assert len(ids(entries)) == len(set(ids(entries))) == 4  # baseline, notebook, inductor, bf16


def test_named_variants_bring_their_baselines() -> None:
    entries = matrix("quick", ["cpu"], variant_ids=["cpu-bf16-nchw-eager-b8"])

    assert ids(entries) == ["cpu-default-nchw-eager-b8", "cpu-bf16-nchw-eager-b8"]


def test_pilot_only_needs_no_baseline_in_the_rounds() -> None:
    entries = matrix("quick", ["cpu"], ["batch_size=16"])

    assert "cpu-default-nchw-eager-b16-workers" in ids(entries, pilot_only=True)
    assert "cpu-default-nchw-eager-b16" in ids(entries)


@pytest.mark.parametrize("text", ["batch_size", "batch_size=", "batch_size=a", "colour=red"])
def test_a_wrong_axis_is_an_error(text: str) -> None:
    with pytest.raises(VariantError):
        matrix("quick", ["cpu"], [text])


@pytest.mark.parametrize(
    ("changes", "machine", "reason"),
    [
        ({}, Machine(), ""),
        ({"device": "cuda"}, LINUX, "no CUDA device"),
        ({"device": "cuda:3"}, GPU, "only 1 CUDA devices"),
        ({"device": "cuda"}, GPU, ""),
        (
            {"device": "cuda", "precision": "tf32"},
            replace(GPU, cuda=Cuda(devices=(T4,))),
            "tf32 needs compute capability 8.0, this device has 7.5",
        ),
        ({"device": "cuda"}, OLD, "NVIDIA's driver 535.183.01 is too old for torch 2.14.1"),
        ({"device": "cuda:1", "precision": "bf16"}, replace(GPU, cuda=Cuda(devices=(T4, H100))), ""),
        (
            {"device": "cuda", "compile_mode": "max-autotune"},
            replace(GPU, cuda=Cuda(devices=(T4,))),
            "max-autotune tunes nothing on fewer than 68 multiprocessors, this device has 40",
        ),
        ({"device": "cuda", "compile_mode": "inductor"}, GPU, ""),
        ({"device": "cuda", "compile_mode": "inductor"}, replace(GPU, c_compiler=False), "no C compiler"),
        ({"device": "cuda", "compile_mode": "inductor"}, replace(GPU, python_headers=False), "no Python.h"),
        ({"device": "cuda"}, replace(GPU, c_compiler=False, python_headers=False), ""),
        ({"precision": "tf32"}, LINUX, "TF32 exists on CUDA devices only"),
        ({"cudnn_benchmark": "on"}, GPU, "cuDNN runs on CUDA devices only"),
        ({"cudnn_benchmark": "on", "device": "cuda"}, GPU, ""),
        ({"compile_mode": "reduce-overhead"}, LINUX, "reduce-overhead is CUDA graphs"),
        ({"compile_mode": "inductor"}, replace(LINUX, cxx_compiler=False), "no C++ compiler"),
        ({"compile_mode": "inductor"}, LINUX, ""),
        ({"allocator": "kept"}, replace(LINUX, glibc=None), "kept is a setting of glibc"),
        ({"allocator": "hugepages"}, replace(LINUX, glibc=(2, 31)), "needs glibc 2.35"),
        ({"allocator": "hugepages"}, replace(LINUX, huge_pages="never"), "are set to never"),
        ({"allocator": "tcmalloc"}, replace(LINUX, libraries={}), "tcmalloc is not installed"),
        ({"allocator": "tcmalloc"}, LINUX, ""),
    ],
)
def test_why_a_variant_cant_run(changes: dict[str, str], machine: Machine, reason: str) -> None:
    told = excluded_reason(Variant(**changes), machine)  # type: ignore[arg-type]

    assert told.startswith(reason) if changes.get("allocator") != "hugepages" else reason in told
    assert bool(told) == bool(reason)


def test_ab_measures_the_variants_asked_for_and_adds_none() -> None:
    nhwc = "cpu-default-nhwc-eager-b8"

    assert [e.variant.id for e in ab_matrix(["cpu"], variant_ids=[nhwc, nhwc])] == [nhwc]
    assert [e.variant.id for e in ab_matrix(["cpu"])] == ["cpu-default-nchw-eager-b32"]
    assert [e.variant.id for e in ab_matrix(["cpu"], ["batch_size=4,8"])] == [
        "cpu-default-nchw-eager-b4", "cpu-default-nchw-eager-b8",
    ]  # fmt: skip
    assert len(ab_matrix(["cpu", "cuda"], ["device=cpu", "batch_size=8,8"])) == 1


def test_freed_memory_is_kept_on_the_cpu_of_a_system_with_glibc_alone() -> None:
    entries = ab_matrix(["cuda", "cpu"])

    assert ids(on_kept(entries, LINUX)) == ["cuda-default-nchw-eager-b128", "cpu-default-nchw-eager-b32-kept"]
    assert on_kept(entries, replace(LINUX, glibc=None)) == entries


def test_an_id_without_a_model_takes_the_one_that_the_call_names() -> None:
    ids = ["cpu-default-nhwc-eager-b8", "cpu-default-nhwc-eager-b8-ours:net"]
    for made in (matrix("quick", ["cpu"], (), ids, "ours:net"), ab_matrix(["cpu"], (), ids, "ours:net")):
        assert {entry.variant.model for entry in made} == {"ours:net"}


@pytest.mark.parametrize(
    ("ids", "axes", "devices", "model", "told"),
    [
        (["cpu-default-nhwc-eager-b8-a:b"], [], ["cpu"], "c:d", "has the model a:b, --model says c:d"),
        (["cuda-default-nhwc-eager-b8"], [], ["cpu"], "nin", "is of cuda, --device says cpu"),
        (["cuda-default-nhwc-eager-b8"], [], ["cuda:1"], "nin", "is of cuda, --device says cuda:1"),
        ([], ["precision=bf16", "precision=fp16"], ["cpu"], "nin", "--axis precision is given twice"),
        ([], ["device=cuda"], ["cpu"], "nin", "--axis device can't go with --device"),
        ([], ["model=a:b"], ["cpu", "cuda"], "c:d", "--axis model can't go with --model"),
    ],
)
def test_a_call_that_says_two_things_is_refused(
    ids: list[str], axes: list[str], devices: list[str], model: str, told: str
) -> None:
    with pytest.raises(VariantError, match=re.escape(told)):
        matrix("quick", devices, axes, ids, model)
    with pytest.raises(VariantError, match=re.escape(told)):
        ab_matrix(devices, axes, ids, model)


def test_a_gpu_is_measured_before_the_cpu() -> None:
    """So that a short budget cuts off the slower one."""
    found = [entry.variant.on_cuda for entry in entries_of(Choices())]

    assert found == sorted(found, reverse=True)
    assert set(found) == {True, False}


def test_every_variant_of_a_call_infers_and_those_of_training_alone_are_left_out() -> None:
    entries = entries_of(Choices(device="cpu", mode="infer"))

    assert ids(entries) == [
        "cpu-default-nchw-eager-b32-infer",
        "cpu-default-nchw-eager-b32-infer-kept",
        "cpu-default-nhwc-eager-b32-infer",
        "cpu-default-nhwc-eager-b32-infer-kept",
        "cpu-default-nhwc-inductor-b32-infer-kept",
        "cpu-default-nchw-eager-b32-infer-hugepages",
        "cpu-bf16-nchw-eager-b32-infer",
        "cpu-bf16-nhwc-eager-b32-infer-kept",
    ]
    assert ids(entries, pilot_only=True) == [
        "cpu-default-nchw-eager-b32-infer-notebook",
        "cpu-default-nchw-eager-b32-infer-workers",
    ]
    full = [e.variant for e in entries_of(Choices(preset="full", device="cuda", mode="infer"))]
    assert {(v.mode, v.optimizer, v.sync) for v in full} == {("infer", "default", "epoch")}


def test_an_axis_of_training_that_is_named_is_excluded_with_a_reason() -> None:
    entries = entries_of(Choices(preset="look", device="cpu", mode="infer", axes=("optimizer=fused",)))
    reasons = {e.variant.id: excluded_reason(e.variant, LINUX) for e in entries}

    assert reasons["cpu-default-nchw-eager-b32-infer"] == ""
    assert reasons["cpu-default-nchw-eager-b32-infer-fused"].startswith("inference has no optimizer: ")


def test_a_named_variant_has_the_mode_of_the_call_or_its_own() -> None:
    plain, own = "cpu-default-nhwc-eager-b8", "cpu-default-nhwc-eager-b8-infer"

    assert ids(matrix("quick", ["cpu"], variant_ids=[plain], mode="infer"))[-1] == own
    assert ids(matrix("quick", ["cpu"], variant_ids=[own])) == ["cpu-default-nchw-eager-b8-infer", own]
    assert ids(ab_matrix(["cpu"], variant_ids=[plain], mode="infer")) == [own]
    assert ids(ab_matrix(["cpu"], mode="infer")) == ["cpu-default-nchw-eager-b32-infer"]


def test_a_run_has_one_mode() -> None:
    with pytest.raises(VariantError, match="some of these variants train and some infer"):
        matrix("quick", ["cpu"], variant_ids=["cpu-default-nchw-eager-b8", "cpu-default-nchw-eager-b8-infer"])
    with pytest.raises(VariantError, match="a run has one mode, for all its variants: name it by --mode"):
        matrix("quick", ["cpu"], ["mode=train,infer"])
    with pytest.raises(VariantError, match="mode must be train, infer, got 'fly'"):
        matrix("quick", ["cpu"], mode="fly")
