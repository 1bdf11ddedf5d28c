"""A task whose code has a loop and no step: the loop runs in a thread of its own, one step at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn, optim
from torch.utils.data.dataloader import _BaseDataLoaderIter

from bench.core.axes.kind import kind_of
from bench.tasks.factory import why_unfit
from bench.tasks.find import described
from bench.tasks.own_step import Phases, StepTrainer, called_by_name
from bench.tasks.task import Task, TaskError
from bench.tasks.trainer import Placing
from nin.train import Setup

ARGUMENTS = ("step_done", "steps", "device", "batch_size")
"""What `train` may take, by name."""
ENDLESS = 10**6
"""How many steps the loop is asked for: it is left when all is measured. A schedule of so many steps fits memory."""


class Loop:
    """The user's loop. It runs until it calls `step_done`, and then waits until the next step is asked for.

    It has a thread of its own, since only the loop itself knows how it goes on.
    """

    def __init__(self, train: Callable[[Callable[..., None]], None], device: torch.device, name: str) -> None:
        self.name, self.steps, self.items = name, 0, 0.0
        self.loss: torch.Tensor | float | None = None
        self.model: nn.Module | None = None
        self.optimizers: list[optim.Optimizer] = []
        self._train, self._device = train, device
        self._error: Exception | None = None
        self._asked, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self) -> torch.Tensor | float | None:
        """Lets the loop take a step. Returns the loss that it gave. Raises what it raised, TaskError if it ended."""
        self._asked.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self.loss

    def _run(self) -> None:
        self._asked.acquire()
        try:
            if kind_of(self._device.type).numbered:
                torch.get_device_module(self._device).set_device(self._device)  # each thread has a device of its own
            self._train(self._step_done)
            self._error = TaskError(
                f"task {self.name}: train ended after {self.steps} steps: it must take `steps` steps"
            )
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that asked
            self._error = error
        self._done.release()

    def _step_done(
        self,
        *,
        loss: torch.Tensor | float | None = None,
        items: float | None = None,
        model: nn.Module | dict[str, nn.Module] | None = None,
        optimizer: optim.Optimizer | list[optim.Optimizer] | None = None,
    ) -> None:
        self.steps += 1
        self.loss = loss
        self.items += 0.0 if items is None else float(items)
        if model is not None:
            self.model = nn.ModuleDict(model) if isinstance(model, dict) else model
        if optimizer is not None:
            self.optimizers = optimizer if isinstance(optimizer, list) else [optimizer]
        self._done.release()
        self._asked.acquire()


class LoopTrainer(StepTrainer):
    """A task's own loop. The first step is taken as it is made: only the loop can make the model."""

    names_phases = False

    def __init__(self, task: Task, setup: Setup, batch_size: int, name: str) -> None:
        """Raises TaskError if the loop takes something that it can't get, or gives no model that can be measured."""
        Placing.__init__(self, task, setup)
        self.phases, self.steps, self.batch_size = Phases(), 0, batch_size
        self.loss_sum: torch.Tensor | float = 0.0
        self.model = nn.Module()
        self._optimizers: dict[optim.Optimizer, str] = {}
        self._watch_optimizers()
        train: Any = task.train  # type: ignore[attr-defined]
        offered = {"steps": ENDLESS, "device": setup.device, "batch_size": batch_size}
        taken = called_by_name(train, ARGUMENTS, "step_done", f"task {name}: train")
        given = {key: offered[key] for key in taken if key in offered}
        self.loop = Loop(lambda step_done: train(step_done=step_done, **given), setup.device, name)
        self._step = self.loop.advance
        try:
            self.loop.advance()
        except TaskError:
            raise
        except Exception as error:
            msg = f"task {name}: train fails: {described(error)}"
            raise TaskError(msg) from error
        if self.loop.model is None:
            msg = f"task {name}: step_done was not given the model: call step_done(model=model, ...)"
            raise TaskError(msg)
        if unfit := why_unfit(self.loop.model):
            msg = f"task {name}: {unfit}"
            raise TaskError(msg)
        self.model = self.forward = self.loop.model

    @property
    def items(self) -> float:
        """The mean items of the steps so far; the batch size if the loop does not count."""
        return self.loop.items / max(1, self.loop.steps) or float(self.batch_size)

    @contextmanager
    def _observed(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(super()._observed())
            stack.enter_context(self._around_loaders())
            yield

    @contextmanager
    def _around_loaders(self) -> Iterator[None]:
        """Within, waiting for a batch of any DataLoader is the phase `data`."""
        honest, phases = _BaseDataLoaderIter.__next__, self.phases

        def following(loader: Any) -> Any:  # noqa: ANN401
            with phases("data"):
                return honest(loader)

        _BaseDataLoaderIter.__next__ = following  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            _BaseDataLoaderIter.__next__ = honest  # type: ignore[method-assign]
