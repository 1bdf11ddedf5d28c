"""A task's own code has rows of its own, the parts add up, and the gate holds for any task."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.core.variants import Variant
from bench.measure.timing.stamps import timed_stamps
from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Inputs, Workload, build

WAIT_S = 2.0
Wait = Callable[[], None]
EXAMPLES = ("gpt", "vit", "autoencoder", "lstm")


def work_of(name: str, **axes: object) -> Workload:
    """The workload of a task."""
    variant = Variant(model=name, **{"batch_size": 4, **axes})  # type: ignore[arg-type]
    return build(variant, Inputs(task=True), seed=0)


def rows(work: Workload, clock: Any) -> dict[tuple[str, str], float]:  # noqa: ANN401 - the fixture's
    """The seconds of each row of one step on a clock that only planted waits move; rows without any left out."""
    seconds = timed_stamps(work, clock, 0.0)[0].seconds()
    return {row: row_s for row, row_s in seconds.items() if row_s}


class SlowBackward(torch.autograd.Function):
    """The identity, whose backward waits."""

    wait: Callable[[], None]

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        SlowBackward.wait()
        return gradients[0]


def in_attention(_work: Workload, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functional code that is called in attention waits."""
    honest = F.scaled_dot_product_attention

    def slow(*args: Any, **more: Any) -> Tensor:  # noqa: ANN401
        wait()
        return honest(*args, **more)

    monkeypatch.setattr(F, "scaled_dot_product_attention", slow)


def in_custom_backward(work: Workload, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backward of a block's own functional code waits."""
    block = type(work.trainer.model.blocks[0])
    honest = block.forward
    monkeypatch.setattr(SlowBackward, "wait", wait, raising=False)
    monkeypatch.setattr(block, "forward", lambda self, x: SlowBackward.apply(honest(self, x)))


def in_after_step(work: Workload, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the optimizer waits."""
    monkeypatch.setattr(work.task, "after_step", lambda _model: wait())


def in_clip(_work: Workload, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clipping waits."""
    honest = nn.utils.clip_grad_norm_

    def slow(*args: Any, **more: Any) -> Tensor:  # noqa: ANN401
        wait()
        return honest(*args, **more)

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", slow)


def in_loss(work: Workload, wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss outside of the model waits."""
    honest = cast("Any", work.task).loss

    def slow(model: nn.Module, batch: Any) -> Tensor:  # noqa: ANN401
        value: Tensor = honest(model, batch)
        wait()
        return value

    monkeypatch.setattr(work.task, "loss", slow)


BLOCKS = 2
Plant = Callable[[Workload, Wait, pytest.MonkeyPatch], None]
PLANTED: list[tuple[Plant, list[tuple[str, str]]]] = [
    (in_attention, [(f"blocks.{index}.attention", "forward") for index in range(BLOCKS)]),
    (in_custom_backward, [(f"blocks.{index}", "backward") for index in range(BLOCKS)]),
    (in_after_step, [("", "after_step")]),
    (in_clip, [("", "clip")]),
    (in_loss, [("", "loss")]),
]


@pytest.mark.parametrize(("plant", "planted"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_wait_is_in_its_own_row_and_in_no_other(
    plant: Plant,
    planted: list[tuple[str, str]],
    clock: Any,  # noqa: ANN401 - the fixture's
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = work_of(f"examples.gpt:make[width=32,depth={BLOCKS},heads=2]", batch_size=1)
    assert not rows(work, clock)

    plant(work, lambda: clock.pass_s(WAIT_S), monkeypatch)

    assert rows(work, clock) == dict.fromkeys(planted, WAIT_S)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_gate_passes_each_example(name: str, precision: str) -> None:
    result = numerics.measure(work_of(f"examples.{name}:make", precision=precision))

    assert result.fault is None
    assert max(result.last.values.share, result.last.gradients.share) < 1


@pytest.mark.parametrize("name", ["gpt", "vit"])
def test_the_gate_detects_a_hundredth_in_attention(name: str) -> None:
    work = work_of(f"examples.{name}:make[depth=2]", precision="fp32")
    work.trainer.model.blocks[1].attention.register_forward_hook(
        lambda _m, _x, y: y * 1.01 if isinstance(y, Tensor) else (y[0] * 1.01, *y[1:])
    )

    fault = numerics.measure(work).fault
    assert fault is not None
    assert "by a factor" in fault.reason


def test_a_task_that_draws_at_random_is_not_gated() -> None:
    work = work_of("examples.gpt:make[width=32,depth=1]")
    honest = cast("Any", work.task).loss
    work.task.loss = lambda model, batch: honest(model, batch) * torch.rand(())  # type: ignore[method-assign,union-attr]

    with pytest.raises(NotGatedError, match="draws at random"):
        numerics.measure(work)


@pytest.mark.parametrize("name", EXAMPLES)
def test_items_are_counted_in_the_unit_of_the_task(name: str) -> None:
    work = work_of(f"examples.{name}:make")
    next(work.batches)

    expected = {"gpt": (4 * 128, "tokens"), "vit": (4, "images"), "autoencoder": (8, "images"), "lstm": (64, "tokens")}
    assert (work.items, work.unit) == expected[name]
