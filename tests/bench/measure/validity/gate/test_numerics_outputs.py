"""Inference is compared with float64 by the outputs of the model: it passes if it is right, and not if it is wrong."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.core.variants import Variant
from bench.measure.validity.gate import numerics, numerics_outputs
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Inputs, Workload, build


def work_of(**axes: object) -> Workload:
    """A workload of inference on small images."""
    variant = Variant(**{"model": "tests_models:twice", "batch_size": 8, "mode": "infer", **axes})  # type: ignore[arg-type]
    return build(variant, Inputs(shape=(1, 28, 28)), seed=0)


@pytest.mark.parametrize("precision", ["default", "bf16", "fp16"])
@pytest.mark.parametrize("memory_format", ["nchw", "nhwc"])
def test_a_right_variant_passes(precision: str, memory_format: str) -> None:
    result = numerics.measure(work_of(precision=precision, memory_format=memory_format))
    samples = {row.metric: row.value for row in result.samples().rows}

    assert result.fault is None
    assert 0 <= samples["score_error"] < samples["score_bound"] < 1
    assert not {"loss_error", "gradient_error", "gradient_bound"} & set(samples)


@pytest.mark.parametrize("name", ["gpt", "vit", "autoencoder", "lstm"])
def test_each_example_passes(name: str) -> None:
    variant = Variant(model=f"examples.{name}:make", batch_size=4, mode="infer")

    assert numerics.measure(build(variant, Inputs(task=True), seed=0)).fault is None


def test_a_hundredth_too_much_in_a_layer_is_invalid() -> None:
    work = work_of(memory_format="nhwc")
    layer = next(m for m in work.trainer.model.modules() if isinstance(m, nn.Linear | nn.Conv2d))
    layer.register_forward_hook(lambda _m, _x, y: y * 1.01)
    fault = numerics.measure(work).fault

    assert fault is not None
    assert fault.reason.startswith("the outputs differ from float64 by ")


def test_outputs_that_are_no_numbers_are_never_right() -> None:
    assert numerics_outputs.error([torch.tensor([1.0, torch.nan])], [torch.ones(2)]) == torch.inf
    assert numerics_outputs.error([torch.tensor([3.0]), torch.zeros(1)], [torch.zeros(1), torch.tensor([4.0])]) == 1.25


def test_an_output_of_another_shape_can_t_be_judged() -> None:
    with pytest.raises(NotGatedError, match="the shape of an output depends on how often an image is in the batch"):
        numerics_outputs.error([torch.ones(2)], [torch.ones(1)])


def test_images_fill_the_batch_that_was_compiled() -> None:
    def repeated(value: Any, times: int) -> list[Tensor]:  # noqa: ANN401
        return list(numerics_outputs.repeated([value], times))

    work, images = work_of(batch_size=64), ((torch.zeros(32, 1, 2, 2),),)
    assert numerics_outputs.times_of(work, images) == 1
    assert repeated(torch.tensor([1.0, 2.0]), 2)[0].tolist() == [1.0, 2.0, 1.0, 2.0]
