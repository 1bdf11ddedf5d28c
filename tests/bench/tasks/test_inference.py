"""A call of inference gives what the model in eval mode gives under torch.inference_mode, and keeps no gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs
from bench.core.variants import Variant, as_row
from bench.measure import trial
from bench.measure.workload import Inputs as Images
from bench.measure.workload import build
from bench.tasks.batches import Batches
from bench.tasks.inference import Inference
from bench.tasks.task import Task
from nin.train import Setup

CPU = torch.device("cpu")


class Noisy(Task):
    """Its model draws at random in training, and normalises by the batch."""

    accumulate = 3

    def model(self) -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5))

    def batches(self, batch_size: int) -> Any:  # noqa: ANN401
        chance = torch.Generator().manual_seed(0)
        return [(torch.rand(batch_size, 3, 8, 8, generator=chance), torch.zeros(batch_size)) for _ in range(2)]

    def loss(self, model: Any, batch: Any) -> Tensor:  # noqa: ANN401, ARG002
        msg = "inference has no loss"
        raise AssertionError(msg)

    def optimizer(self, parameters: Any) -> Any:  # noqa: ANN401, ARG002
        msg = "inference has no optimizer"
        raise AssertionError(msg)


def make() -> Noisy:
    return Noisy()


def by_hand(x: Tensor) -> Tensor:
    """The model's output in eval mode, once it has seen nothing."""
    model = Noisy().model().eval()
    with torch.inference_mode():
        output: Tensor = model(x)
    return output


def inference(**settings: str) -> Inference:
    return Inference(Noisy(), Noisy().model(), Setup(device=CPU, **settings))


def batch_of(size: int = 2) -> Any:  # noqa: ANN401
    """What a step takes."""
    [batch] = next(Batches(Noisy(), size, "noisy", in_a_step=1))
    return batch


@pytest.mark.parametrize("memory_format", ["nchw", "nhwc"])
def test_the_outputs_are_those_of_eval_mode_each_time(memory_format: str) -> None:
    trainer, batch = inference(memory_format=memory_format), batch_of()
    expected = by_hand(batch[0])

    for _ in range(2):  # running statistics stay as they are
        torch.testing.assert_close(trainer.step(batch), expected)
    assert trainer.steps == 2


def test_no_gradient_is_kept() -> None:
    trainer = inference()
    outputs = trainer.step(batch_of())

    assert outputs.is_inference()
    assert not outputs.requires_grad
    assert outputs.grad_fn is None
    assert [] == [p for p in trainer.model.parameters() if p.grad is not None]
    assert trainer.optimizer.state == {}


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_precision_acts_by_autocast_without_a_scaler(precision: str, dtype: torch.dtype) -> None:
    trainer, batch = inference(precision=precision), batch_of()
    outputs = trainer.step(batch)

    assert (outputs.dtype, trainer.scaler) == (dtype, None)
    torch.testing.assert_close(outputs.float(), by_hand(batch[0]), atol=0.05, rtol=0.05)


def test_phases_come_in_order() -> None:
    phases: list[str] = []
    inference().step(batch_of(), mark=phases.append)

    assert phases == ["h2d", "forward", "read"]


class Named(Noisy):
    """Its batches are dicts, and what it predicts is a class."""

    def batches(self, batch_size: int) -> Any:  # noqa: ANN401
        return [{"pixels": x} for x, _ in super().batches(batch_size)]

    def predict(self, model: Any, batch: Any) -> Tensor:  # noqa: ANN401
        classes: Tensor = model(batch["pixels"]).argmax(dim=1)
        return classes


def named() -> Named:
    return Named()


def test_a_task_may_say_what_it_predicts() -> None:
    task = Named()
    [batch] = next(Batches(task, 3, "named", in_a_step=1))
    outputs = Inference(task, task.model(), Setup(device=CPU)).step(batch)

    torch.testing.assert_close(outputs, by_hand(batch["pixels"]).argmax(dim=1))


@pytest.mark.parametrize("size", [2, 5])
def test_a_step_takes_one_batch_however_many_training_accumulates(size: int) -> None:
    work = build(Variant(model=f"{__name__}:make", batch_size=size, mode="infer"), Images(task=True), seed=0)
    taken = next(work.batches)

    assert (len(taken), work.items) == (1, size)


def test_an_image_classifier_is_called_with_images_alone() -> None:
    work = build(Variant(batch_size=2, mode="infer"), Images(), seed=0)
    [(x_NCHW,)] = next(work.batches)
    outputs = work.trainer.step((x_NCHW,))

    assert not work.trainer.model.training
    with torch.inference_mode():
        torch.testing.assert_close(outputs, work.trainer.model(x_NCHW))


def asked(name: str, *probes: Probe, task: bool = True, **axes: object) -> Reply:
    """The reply to a request for inference."""
    variant = Variant(model=name, **{"batch_size": 2, "mode": "infer", **axes})  # type: ignore[arg-type]
    inputs = Inputs(folder=None, shape=None, classes=10, task=task)
    return trial.answer(Request(variant=as_row(variant), inputs=inputs, seed=0, probes=probes or (Probe.BUILD,)))


class Unfit(Named):
    predict = Task.predict  # a model is not called with a dict


def unfit() -> Unfit:
    return Unfit()


class Says(Noisy):
    def predict(self, model: Any, batch: Any) -> Any:  # noqa: ANN401, ARG002
        return "a cat"


def says() -> Says:
    return Says()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unfit", "predict(model, batch) fails on 2x3x8x8: TypeError: "),
        ("says", "predict(model, batch) must return a tensor, or what holds one, returned str"),
    ],
)
def test_what_is_wrong_with_a_call_is_reported_in_one_line(name: str, reason: str) -> None:
    reply = asked(f"{__name__}:{name}")

    assert (reply.status, reply.cause) == (Status.ERROR, Cause.MODEL_ERROR)
    assert reply.reason.startswith(f"task {__name__}:{name}: {reason}")


def test_a_call_is_tried_before_anything_is_measured() -> None:
    assert asked(f"{__name__}:make").status is Status.OK
    assert asked("nin", task=False).status is Status.OK


@pytest.mark.parametrize(
    ("name", "axes", "why"),
    [
        (f"{__name__}:make", {"optimizer": "fused"}, "inference has no optimizer: optimizer=fused changes nothing"),
        (f"{__name__}:make", {"sync": "step"}, "inference has no loss to read: sync=step changes nothing"),
        (f"{__name__}:make", {"loader": "notebook"}, "the task decides its loader itself"),
        ("examples.gan:GAN", {}, "a task with a step or a loop of its own only trains"),
    ],
)
def test_an_axis_or_a_task_that_can_t_act_is_unsupported(name: str, axes: dict[str, str], why: str) -> None:
    reply = asked(name, Probe.STEPS, task=True, **axes)

    assert (reply.status, reply.cause) == (Status.UNSUPPORTED, Cause.UNSUPPORTED_SETTING)
    assert reply.reason == why
