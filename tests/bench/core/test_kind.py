"""Devices beside the CPU and CUDA: their ids, what runs on them, why it does not, and what a file says of them."""

import msgspec
import pytest

from bench.analyse.verdicts import delta_of
from bench.core.axes.device import ANOTHER, APPLE
from bench.core.axes.kind import KINDS, index_of, kind_of
from bench.core.axes.place import Machine, Others
from bench.core.facts import Accelerator, CudaDevice, Environment
from bench.core.variants import Variant, VariantError, parse_id, parse_value
from bench.machine.environment import machine
from bench.plan.choices import Choices
from bench.plan.matrix import Entry, excluded_reason, matrix, preset
from bench.run.prepare.inputs import memory_limits

M2 = Accelerator(kind="mps", name="Apple M2 Max", memory_bytes=2**34, compute_units=38, timing="synchronised")
ARC = Accelerator(kind="xpu", name="Intel Arc B580", memory_bytes=12 * 2**30, driver="1.6.3", timing="events")
HERE = Environment(torch="2.14.1", cpu="Made-up CPU", accelerators=[M2, ARC, ARC], built_for=["mps", "xpu"])
FULL = Machine(
    others=Others(counts={"mps": 1, "xpu": 2}, built=frozenset({"mps", "xpu"}), torch="2.14.1"),
    cxx_compiler=True, c_compiler=True, python_headers=True,
)  # fmt: skip


def test_every_kind_has_its_own_name_and_batch() -> None:
    assert {kind.name: (kind.words, kind.batch_size) for kind in KINDS.values()} == {
        "cpu": ("CPU", 32), "cuda": ("CUDA", 128), "mps": ("MPS", 128), "xpu": ("XPU", 128),
    }  # fmt: skip
    assert [(kind_of(device).name, index_of(device)) for device in ("cpu", "cuda:3", "mps", "xpu", "xpu:12")] == [
        ("cpu", 0), ("cuda", 3), ("mps", 0), ("xpu", 0), ("xpu", 12),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["cpu", "cuda", "cuda:1", "mps", "xpu", "xpu:1"])
def test_a_device_s_id_leads_back(text: str) -> None:
    variant = Variant(device=parse_value("device", text), precision="bf16", batch_size=128)  # type: ignore[arg-type]

    assert variant.id == f"{text}-bf16-nchw-eager-b128"
    assert parse_id(variant.id) == variant


@pytest.mark.parametrize("text", ["mps:0", "mps:1", "cpu:0", "xpu:", "xpu0", "hpu", "meta", "xpux"])
def test_other_devices_are_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(VariantError, match=f"device must be cpu, cuda, cuda:N, mps, xpu or xpu:N, got '{text}'"):
        matrix("quick", [text])


@pytest.mark.parametrize(
    ("device", "others", "reason"),
    [
        ("mps", Others(torch="2.14.1"), f"no MPS device: torch 2.14.1 is built without MPS: {APPLE}"),
        (
            "xpu", Others(torch="2.14.1"),
            f"no XPU device: torch 2.14.1 is built without XPU: {ANOTHER}",
        ),
        (
            "mps", Others(torch="2.14.1", built=frozenset({"mps"})),
            f"no MPS device, though torch 2.14.1 is built for MPS: {APPLE}",
        ),
        (
            "xpu", Others(torch="2.14.1", built=frozenset({"xpu"})),
            "no XPU device, though torch 2.14.1 is built for XPU: look at Intel's driver, and at ZE_AFFINITY_MASK",
        ),
        ("xpu:1", Others(counts={"xpu": 1}, built=frozenset({"xpu"})), "only 1 XPU device"),
        ("xpu:2", FULL.others, "only 2 XPU devices"),
        ("xpu:1", FULL.others, ""),
        ("mps", FULL.others, ""),
    ],
)  # fmt: skip
def test_why_a_device_can_t_be_had(device: str, others: Others, reason: str) -> None:
    assert excluded_reason(Variant(device=device), Machine(others=others)) == reason


@pytest.mark.parametrize(
    ("device", "change", "reason"),
    [
        ("mps", {"precision": "tf32"}, "tf32 is set on CUDA devices only"),
        ("xpu", {"precision": "tf32"}, "tf32 is set on CUDA devices only"),
        ("cpu", {"precision": "tf32"}, "TF32 exists on CUDA devices only"),
        ("xpu", {"compile_mode": "reduce-overhead"}, "reduce-overhead is CUDA graphs, which need a CUDA device"),
        ("mps", {"compile_mode": "reduce-overhead"}, "reduce-overhead is CUDA graphs, which need a CUDA device"),
        (
            "mps", {"compile_mode": "max-autotune"},
            "inductor has no kernels among which max-autotune could choose on MPS",
        ),
        ("xpu", {"compile_mode": "max-autotune"}, ""),
        ("mps", {"compile_mode": "inductor"}, ""),
        ("xpu", {"compile_mode": "inductor"}, ""),
        ("xpu", {"cudnn_benchmark": "on"}, "cuDNN runs on CUDA devices only"),
        ("xpu", {"world_size": 2}, "several ranks train on the CPU and on CUDA devices only"),
        ("mps", {"world_size": 2}, "several ranks train on the CPU and on CUDA devices only"),
        ("mps", {"precision": "fp16", "optimizer": "fused"}, ""),
        ("xpu", {"precision": "bf16", "memory_format": "nhwc"}, ""),
    ],
)  # fmt: skip
def test_what_a_kind_of_device_can_t_do_is_said(device: str, change: dict[str, object], reason: str) -> None:
    assert excluded_reason(Variant(device=device, **change), FULL) == reason  # type: ignore[arg-type]


def test_inductor_on_an_xpu_needs_what_triton_needs_and_on_mps_does_not() -> None:
    bare = Machine(others=FULL.others, cxx_compiler=True)
    reasons = [excluded_reason(Variant(device=device, compile_mode="inductor"), bare) for device in ("xpu", "mps")]

    assert reasons == ["no C compiler, which inductor's Triton needs", ""]


QUICK = (
    "default-nchw-eager-b128", "default-nchw-eager-b128-notebook-syncstep", "default-nhwc-eager-b128",
    "bf16-nchw-eager-b128", "bf16-nhwc-eager-b128", "fp16-nhwc-eager-b128", "bf16-nhwc-inductor-b128",
    "default-nchw-eager-b128-notebook", "default-nchw-eager-b128-workers",
)  # fmt: skip


@pytest.mark.parametrize("device", ["mps", "xpu:1"])
def test_the_preset_quick_is_cuda_s_without_what_only_cuda_has(device: str) -> None:
    entries = preset("quick", device)

    assert [entry.variant.id for entry in entries] == [f"{device}-{rest}" for rest in QUICK]
    assert [entry.variant.loader for entry in entries if entry.pilot_only] == ["notebook", "workers"]
    assert [excluded_reason(entry.variant, FULL) for entry in entries] == [""] * len(QUICK)


def test_the_preset_full_names_nothing_that_only_cuda_has() -> None:
    variants = [entry.variant for entry in preset("full", "mps")]

    assert {v.precision for v in variants} == {"default", "fp32", "bf16", "fp16"}
    assert {v.compile_mode for v in variants} == {"eager", "inductor", "max-autotune"}
    assert {v.cudnn_benchmark for v in variants} == {"off"}
    assert {v.batch_size for v in variants} == {32, 64, 128, 256, 512, 1024, "max"}


def test_a_device_as_an_axis_gives_its_own_preset_with_its_own_baseline() -> None:
    entries = matrix("look", ["cuda", "cpu"], ["device=mps,xpu:1"])

    assert [entry.variant.id for entry in entries if entry.variant.is_baseline] == [
        "mps-default-nchw-eager-b128", "xpu:1-default-nchw-eager-b128",
    ]  # fmt: skip


def test_the_change_that_matters_is_a_gpu_s() -> None:
    assert [delta_of(device) for device in ("cpu", "cuda:1", "mps", "xpu")] == [0.03, 0.02, 0.02, 0.02]


def test_the_hardware_of_a_device_is_named_by_its_number() -> None:
    cuda = CudaDevice(name="T4", memory_bytes=2**34)
    here = msgspec.structs.replace(HERE, cuda_devices=[cuda])

    assert [here.hardware_of(device) for device in ("cpu", "cuda", "cuda:1", "mps", "xpu:1", "xpu:2")] == [
        "Made-up CPU", "T4", "", "Apple M2 Max", "Intel Arc B580", "",
    ]  # fmt: skip
    assert Environment().hardware_of("mps") == ""


def test_a_machine_is_what_its_file_says() -> None:
    read = msgspec.convert(msgspec.to_builtins(HERE), Environment)

    assert read == HERE
    assert machine(read).others == FULL.others


def test_a_file_without_such_devices_does_not_name_them() -> None:
    assert not {"accelerators", "built_for"} & set(msgspec.to_builtins(Environment()))
    assert not {"accelerators", "built_for"} & set(Environment().facts())


@pytest.mark.parametrize(
    "hostile", [{"kind": "cuda", "name": "x", "timing": "events"}, {"kind": "mps", "name": "x", "timing": "guessed"},
                {"kind": "xpu", "name": "x" * 1001, "timing": "events"}],
)  # fmt: skip
def test_a_device_that_no_run_could_have_written_is_refused(hostile: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"accelerators": [hostile]}, Environment)


def entry(device: str, batch_size: int | str = 128) -> Entry:
    return Entry(variant=Variant(device=device, batch_size=batch_size))


def test_apple_s_gpu_may_take_what_metal_recommends_of_the_shared_memory() -> None:
    limits = memory_limits(Choices(), [entry("mps"), entry("xpu")], HERE)

    assert limits == {"cpu": None, "cuda": None, "mps": 2**34, "xpu": None}
    assert memory_limits(Choices(), [entry("cpu")], HERE) == {"cpu": None, "cuda": None}


def test_a_limit_that_is_given_holds_on_the_devices_of_the_run() -> None:
    chosen = Choices(memory_limit="1GiB", variants=("mps-default-nchw-eager-bmax",))

    assert memory_limits(chosen, [entry("mps", "max")], HERE) == {"cpu": 2**30, "cuda": 2**30, "mps": 2**30}
