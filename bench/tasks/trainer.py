"""The training step of a declared task, under one setup."""

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn, optim

from bench.tasks.nest import changed
from bench.tasks.task import Task, TaskError
from nin.choices import COMPILE_MODES, OPTIMIZERS, PRECISIONS
from nin.train import LEARNING_RATE, MEMORY_FORMATS, Mark, Setup, compiled, no_mark, set_precision

IMAGE_DIMS = 4
"""Tensors of so many dimensions have a memory format."""


class Placing:
    """Puts what a step takes on the device of a setup, images in its memory format."""

    def __init__(self, task: Task, setup: Setup) -> None:
        """Sets torch's process-wide flags as the setup asks."""
        self.task, self.setup = task, setup
        self.format = MEMORY_FORMATS[setup.memory_format]
        set_precision(setup.precision)
        torch.backends.cudnn.benchmark = setup.cudnn_benchmark == "on"

    def move(self, *batches: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """The batches on the device, their images in the memory format."""
        return tuple(self.placed(batch) for batch in batches)

    def placed(self, batch: Any) -> Any:  # noqa: ANN401
        """A batch on the device: as the task moves it, or with each tensor moved."""
        own = self.task.to_device(batch, self.setup.device)
        return changed(batch if own is None else own, self._moved)

    def _moved(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(self.setup.device, non_blocking=True)
        images = x.dim() == IMAGE_DIMS and x.is_floating_point()
        return x.contiguous(memory_format=self.format) if images else x

    def autocast(self) -> AbstractContextManager[object]:
        """The context of forward and loss: autocast in the precision's type, if it has one."""
        dtype = PRECISIONS[self.setup.precision].autocast
        return torch.autocast(self.setup.device.type, dtype=getattr(torch, dtype)) if dtype else nullcontext()


class TaskTrainer(Placing):
    """A task in training under one setup. It has the parts of nin's Trainer that are measured.

    A step takes as many batches as the task accumulates. torch's flags are process-wide, so a process holds one.
    """

    def __init__(self, task: Task, model: nn.Module, setup: Setup, name: str = "") -> None:
        """Moves the model to the setup's device and format. Raises TaskError if the task's optimizer is none."""
        super().__init__(task, setup)
        self.model = model.to(setup.device).to(memory_format=self.format)
        self.forward: Any = compiled(self.model, setup.compile_mode)
        own = task.optimizer(self.model.parameters(), **self._of_model())
        self.own_optimizer = own is not None
        """Whether the optimizer is the task's, so that its implementation is no choice of the setup."""
        self.optimizer = adam(self.model, setup) if own is None else checked(own, name)
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=PRECISIONS[setup.precision].scaled)
        self.steps = self.optimized = 0
        self.loss_sum: torch.Tensor | float = 0.0
        self._mark: Mark = no_mark
        self.optimizer.register_step_pre_hook(lambda *_: self._mark("optimizer"))
        self.optimizer.register_step_post_hook(lambda *_: self._count())

    def _of_model(self) -> dict[str, nn.Module]:
        """The model itself, if the task's optimizer takes it beside the parameters."""
        return {"model": self.model} if "model" in inspect.signature(self.task.optimizer).parameters else {}

    def _count(self) -> None:
        self.optimized += 1
        if self.scaler.is_enabled():
            self._mark("scaler")

    def optimizer_steps(self) -> int:
        """How often the optimizer changed the weights: fewer times than steps if the GradScaler skipped some."""
        return self.optimized

    def step(self, *batches: Any, mark: Mark = no_mark) -> None:  # noqa: ANN401
        """Train on the batches, and give the optimizer their mean loss's gradients once."""
        mark("optimizer")
        self.optimizer.zero_grad()
        with self._forwards_marked(mark):
            losses = [self._backward(batch, 1 / len(batches), mark) for batch in batches]
        self._mark = mark
        self._optimize(mark)
        self._mark = no_mark
        mark("after_step")
        self.task.after_step(self.model)
        mark("read")
        self._read(sum(losses[1:], start=losses[0]) / len(losses))

    def _backward(self, batch: Any, share: float, mark: Mark) -> torch.Tensor:  # noqa: ANN401
        """The loss of one batch; its gradients, times the share, are added to the parameters'."""
        mark("h2d")
        [batch] = self.move(batch)
        if COMPILE_MODES[self.setup.compile_mode].graphs:
            torch.compiler.cudagraph_mark_step_begin()
        with self.autocast():
            mark("loss")
            loss = self.task.loss(self.forward, batch)
            scaled = loss if share == 1 else loss * share
        if self.scaler.is_enabled():
            mark("scaler")
            scaled = self.scaler.scale(scaled)
        mark("backward")
        scaled.backward()
        return loss.detach()

    def _optimize(self, mark: Mark) -> None:
        """Clip the gradients if the task asks for it, and step."""
        if self.task.clip is not None:
            mark("clip")
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.task.clip)
        mark("scaler" if self.scaler.is_enabled() else "optimizer")
        self.scaler.step(self.optimizer)
        self.scaler.update()

    @contextmanager
    def _forwards_marked(self, mark: Mark) -> Iterator[None]:
        """Within, the phase is `forward` while the model runs, and `loss` after it."""
        if mark is no_mark:
            yield
            return
        handles = [
            self.forward.register_forward_pre_hook(lambda *_: mark("forward"), prepend=True),
            self.forward.register_forward_hook(lambda *_: mark("loss")),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _read(self, loss: torch.Tensor) -> None:
        self.loss_sum = self.loss_sum + (loss.item() if self.setup.sync == "step" else loss)
        self.steps += 1


def adam(model: nn.Module, setup: Setup) -> optim.Optimizer:
    """The optimizer of a task that names none, in the setup's implementation."""
    asked = OPTIMIZERS[setup.optimizer]
    return optim.Adam(model.parameters(), lr=LEARNING_RATE, foreach=asked.foreach, fused=asked.fused)


def checked(own: object, name: str) -> optim.Optimizer:
    """The task's own optimizer. Raises TaskError if it is none."""
    if not isinstance(own, optim.Optimizer):
        msg = f"task {name}: optimizer(parameters) must return a torch.optim.Optimizer, got {type(own).__name__}"
        raise TaskError(msg)
    return own
