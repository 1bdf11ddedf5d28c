"""Variants, their ids, and what their axes allow."""

import pytest

from bench.core.variants import (
    AXES,
    NOTEBOOK,
    Variant,
    VariantError,
    as_row,
    from_row,
    parse_id,
    parse_value,
)

EVERYTHING = Variant(
    device="cuda:1", precision="bf16", memory_format="nhwc", compile_mode="max-autotune", batch_size=256,
    loader="workers", sync="step", optimizer="fused", cudnn_benchmark="on", threads=3, allocator="tcmalloc",
    model="torchvision.models:resnet18",
)  # fmt: skip


def test_an_id_has_five_axes_always_and_the_others_off_their_default() -> None:
    kept = Variant(precision="fp32", memory_format="nhwc", compile_mode="inductor", allocator="kept")

    assert Variant().id == "cpu-default-nchw-eager-b32"
    assert kept.id == "cpu-fp32-nhwc-inductor-b32-kept"
    assert EVERYTHING.id == (
        "cuda:1-bf16-nhwc-max-autotune-b256-workers-syncstep-fused-cudnnbenchon-t3-tcmalloc-torchvision.models:resnet18"
    )


@pytest.mark.parametrize("variant", [Variant(), EVERYTHING, Variant(compile_mode="reduce-overhead")])
def test_ids_and_rows_lead_back_to_the_variant(variant: Variant) -> None:
    assert parse_id(variant.id) == variant
    assert from_row(as_row(variant)) == variant


def test_a_row_from_before_there_was_an_axis_has_it_at_its_default() -> None:
    row = as_row(Variant(device="cuda", precision="bf16"))
    del row["cudnn_benchmark"]

    assert from_row(row) == Variant(device="cuda", precision="bf16", cudnn_benchmark="off")


@pytest.mark.parametrize("text", ["", "cpu", "cpu-default-nchw-eager", "cpu-default-nchw-eager-b0",
                                  "cpu-default-nchw-eager-b32-fast", "tpu-default-nchw-eager-b32"])  # fmt: skip
def test_an_unknown_id_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(VariantError, match="an id reads like cpu-default-nhwc-eager-b32-kept"):
        parse_id(text)


def test_an_unknown_axis_or_value_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(VariantError, match="unknown axis 'speed': the axes are device, precision"):
        parse_value("speed", "high")
    with pytest.raises(VariantError, match=r"allocator must be default, kept, (\w+, )*tcmalloc.*, got 'x'"):
        parse_value("allocator", "x")
    with pytest.raises(VariantError, match="batch_size must be a whole number of at least 1, or max, got '0'"):
        Variant(batch_size=0)


def test_the_baseline_keeps_device_batch_and_model_alone() -> None:
    assert EVERYTHING.baseline == Variant(device="cuda:1", batch_size=256, model="torchvision.models:resnet18")
    assert EVERYTHING.baseline.is_baseline
    assert not EVERYTHING.is_baseline


def test_the_notebooks_loop_is_its_loader_and_its_sync() -> None:
    assert Variant(**NOTEBOOK).is_notebook  # type: ignore[arg-type]
    assert not Variant(loader="notebook").is_notebook
    assert not Variant(loader="notebook", sync="step", allocator="kept").is_notebook


def test_every_axis_has_a_default_that_it_allows() -> None:
    row = as_row(Variant())

    assert list(AXES) == list(row)
    for name, value in row.items():
        parse_value(name, value)


def test_inference_is_in_an_id_and_its_baseline_infers() -> None:
    variant = Variant(mode="infer", memory_format="nhwc", allocator="kept", model="nets:make")

    assert variant.id == "cpu-default-nhwc-eager-b32-infer-kept-nets:make"
    assert variant.baseline.id == "cpu-default-nchw-eager-b32-infer-nets:make"
    assert variant.baseline.is_baseline
    assert Variant().baseline.mode == "train"


def test_inference_has_no_scaler() -> None:
    assert [Variant(precision="fp16", mode=mode).scaled for mode in ("train", "infer")] == [True, False]


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({"optimizer": "fused"}, "inference has no optimizer: optimizer=fused changes nothing"),
        ({"sync": "step"}, "inference has no loss to read: sync=step changes nothing"),
        ({"precision": "fp16", "loader": "notebook", "threads": 2}, ""),
    ],
)
def test_an_axis_that_can_t_act_in_inference_has_a_reason(axes: dict[str, object], reason: str) -> None:
    assert Variant(mode="infer", **axes).why_no_inference == reason  # type: ignore[arg-type]
    assert Variant(**axes).why_no_inference == ""  # type: ignore[arg-type]
