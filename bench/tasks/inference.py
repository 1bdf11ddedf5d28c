"""One call of a model in eval mode, under one setup: what inference measures in place of a training step."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from bench.tasks.task import Task
from bench.tasks.trainer import Placing
from nin.choices import COMPILE_MODES
from nin.train import Mark, Setup, compiled, no_mark


class Inference(Placing):
    """A model that is only called, under torch.inference_mode. It has the parts of nin's Trainer that any step has.

    There is no loss, no backward and no optimizer, so fp16 needs no GradScaler. torch's flags are process-wide, so a
    process holds one.
    """

    scaler: None = None
    loss_sum = 0.0

    def __init__(self, task: Task, model: nn.Module, setup: Setup) -> None:
        """Moves the model to the setup's device and format, and puts it into eval mode."""
        super().__init__(task, setup)
        self.model = model.eval().to(setup.device).to(memory_format=self.format)
        self.forward: Any = compiled(self.model, setup.compile_mode)
        self.optimizer = SimpleNamespace(state={})
        self.steps = 0

    @torch.inference_mode()
    def placed(self, batch: Any) -> Any:  # noqa: ANN401
        """A batch on the device. It is made as in a step, so that compiled code takes it without compiling again."""
        return super().placed(batch)

    @torch.inference_mode()
    def step(self, batch: Any, mark: Mark = no_mark) -> Any:  # noqa: ANN401
        """What the task predicts for a batch, on the device."""
        mark("h2d")
        batch = super().placed(batch)
        if COMPILE_MODES[self.setup.compile_mode].graphs:
            torch.compiler.cudagraph_mark_step_begin()
        with self.autocast():
            mark("forward")
            outputs = self.task.predict(self.forward, batch)
        mark("read")
        self.steps += 1
        return outputs
