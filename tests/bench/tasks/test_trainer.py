"""A task's step computes what the same step written by hand does."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.tasks.batches import Batches
from bench.tasks.task import Task, TaskError
from bench.tasks.trainer import TaskTrainer
from nin.train import Setup

CPU = torch.device("cpu")


class Line(Task):
    unit = "rows"

    def __init__(self, **settings: object) -> None:
        self.seen: list[float] = []
        for name, value in settings.items():
            setattr(self, name, value)

    def model(self) -> nn.Module:
        torch.manual_seed(1)
        return nn.Linear(3, 1)

    def batches(self, batch_size: int) -> Any:  # noqa: ANN401
        return [torch.full((batch_size, 3), float(value)) for value in (1, 2, 3)]

    def loss(self, model: Any, batch: Tensor) -> Tensor:  # noqa: ANN401
        loss: Tensor = ((model(batch) - 1) ** 2).mean()
        return loss

    def optimizer(self, parameters: Any) -> torch.optim.Optimizer:  # noqa: ANN401
        return torch.optim.SGD(parameters, lr=0.5)

    def after_step(self, model: nn.Module) -> None:
        self.seen.append(float(next(model.parameters()).detach().sum()))


def by_hand(task: Line, batches: list[Tensor]) -> nn.Module:
    """The model after one step on the batches, with gradients of their mean loss."""
    model = task.model()
    torch.stack([task.loss(model, batch) for batch in batches]).mean().backward()
    if task.clip:
        nn.utils.clip_grad_norm_(model.parameters(), task.clip)
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.5 * parameter.grad)
    return model


@pytest.mark.parametrize("settings", [{}, {"clip": 0.01}, {"accumulate": 3}, {"accumulate": 2, "clip": 0.01}], ids=str)
def test_a_step_is_the_one_written_by_hand(settings: dict[str, Any]) -> None:
    task = Line(**settings)
    trainer, batches = TaskTrainer(task, task.model(), Setup(device=CPU)), Batches(task, 4, "line")
    taken = next(batches)
    trainer.step(*taken)
    expected = by_hand(task, list(taken))

    assert len(taken) == task.accumulate
    for own, other in zip(trainer.model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    assert task.seen == [pytest.approx(float(next(trainer.model.parameters()).detach().sum()))]


def test_phases_come_in_order_and_the_model_s_own_time_is_forward() -> None:
    task = Line(clip=1.0)
    trainer = TaskTrainer(task, task.model(), Setup(device=CPU))
    phases: list[str] = []
    trainer.step(*next(Batches(task, 4, "line")), mark=phases.append)

    assert phases == [
        "optimizer", "h2d", "loss", "forward", "loss", "backward", "clip", "optimizer", "optimizer", "after_step",
        "read",
    ]  # fmt: skip


@pytest.mark.parametrize("sync", ["epoch", "step"])
def test_the_loss_is_that_of_all_steps_so_far(sync: str) -> None:
    task = Line()
    trainer, batches = TaskTrainer(task, task.model(), Setup(device=CPU, sync=sync)), Batches(task, 4, "line")
    losses = []
    for _ in range(3):
        batch = next(batches)
        losses.append(task.loss(copy.deepcopy(trainer.model), batch[0]).item())
        trainer.step(*batch)

    assert float(trainer.loss_sum) == pytest.approx(sum(losses))
    assert (trainer.steps, trainer.optimizer_steps()) == (3, 3)


def test_a_list_goes_on_from_its_beginning_and_a_generator_is_made_again() -> None:
    values = [1.0, 2.0, 3.0, 1.0, 2.0]
    assert values == [float(batch[0, 0]) for (batch,), _ in zip(Batches(Line(), 4, "line"), values, strict=False)]

    class Ends(Line):
        def batches(self, batch_size: int) -> Any:  # noqa: ANN401
            return iter(super().batches(batch_size))

    batches = Batches(Ends(), 4, "line")
    assert values == [float(batch[0, 0]) for (batch,), _ in zip(batches, values, strict=False)]
    assert batches.begun == 2


def test_items_are_counted_over_all_batches_of_a_step() -> None:
    batches = Batches(Line(accumulate=2), 5, "line")
    next(batches)
    assert batches.items == 10

    tokens = Batches(Line(items=lambda batch: batch.numel()), 5, "line")
    next(tokens)
    assert tokens.items == 15


def test_batches_that_fail_are_told_of() -> None:
    def fail(_size: int) -> None:
        msg = "no file"
        raise OSError(msg)

    with pytest.raises(TaskError, match=r"task line: batches\(4\) failed: OSError: no file"):
        Batches(Line(batches=fail), 4, "line")
