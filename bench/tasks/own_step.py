"""A task with a step of its own, which calls backward and its optimizers itself: how it is called and observed."""

import inspect
import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn, optim
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from bench.tasks.batches import Batches
from bench.tasks.task import Task, TaskError
from bench.tasks.trainer import Placing
from nin.train import Mark, Setup, no_mark

OTHER = "other"
"""The phase of what is in none with a name."""
ARGUMENTS = ("batches", "phase", "device")
"""What a step may take, by name."""


class Phases:
    """The phases of one step at a time: each ends with what began it, and then the one around it goes on."""

    def __init__(self) -> None:
        self.mark: Mark = no_mark
        self.names: list[str] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Within, the step is in a phase of this name."""
        self.names.append(name)
        self.mark(name)
        try:
            yield
        finally:
            self.names.pop()
            self.mark(self.names[-1] if self.names else OTHER)


class Pulled:
    """The batches that a step pulls, on the device; how many it pulls is its own choice."""

    def __init__(self, batches: Batches, place: Callable[[Any], Any], phases: Phases) -> None:
        self.batches, self.place, self.phases = batches, place, phases

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:  # noqa: ANN401
        with self.phases("data"):
            [batch] = next(self.batches)
        with self.phases("h2d"):
            return self.place(batch)


class StepTrainer(Placing):
    """A task's own step under one setup. It has the parts of nin's Trainer that any step has.

    While a step is marked, torch's own hooks say when a model, a backward or an optimizer runs, unless the step names
    its phases itself.
    """

    scaler: None = None

    def __init__(self, task: Task, model: nn.Module, setup: Setup, batches: Batches) -> None:
        """Raises TaskError if the step takes something that it can't get."""
        super().__init__(task, setup)
        self.model = self.forward = model.to(setup.device).to(memory_format=self.format)
        self.phases, self.steps = Phases(), 0
        self.loss_sum: torch.Tensor | float = 0.0
        self.pulled = Pulled(batches, self.placed, self.phases)
        step: Any = task.step  # type: ignore[attr-defined]
        offered = {"batches": self.pulled, "phase": self.phases, "device": setup.device}
        taken = called_by_name(step, ARGUMENTS, "batches", f"task {batches.name}: step")
        self.names_phases = "phase" in taken
        self._step: Callable[[], Any] = partial(step, **{name: offered[name] for name in taken})
        self._optimizers: dict[optim.Optimizer, str] = {}
        self._watch_optimizers()

    @property
    def items(self) -> float:
        """The mean items of the steps so far."""
        return self.pulled.batches.counted / max(1, self.steps)

    @property
    def optimizer(self) -> SimpleNamespace:
        """The state of all optimizers that have run."""
        return SimpleNamespace(state=dict(itertools.chain(*(o.state.items() for o in self._optimizers))))

    def step(self, mark: Mark = no_mark) -> None:
        """Take one step. If it returns its loss, that is added to the sum."""
        self.phases.mark = mark
        with nullcontext() if mark is no_mark else self._observed():
            mark(OTHER)
            loss = self._step()
        self.phases.mark = no_mark
        if isinstance(loss, torch.Tensor) and loss.numel() == 1:
            self.loss_sum = self.loss_sum + loss.detach()
        elif isinstance(loss, float):
            self.loss_sum = self.loss_sum + loss
        self.steps += 1

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Within, backward, optimizers and whole models are phases, unless the step names phases itself."""
        named = self.names_phases
        with ExitStack() as stack:
            if not named:
                for _, model in named_roots(self.model):
                    stack.enter_context(self._around_calls(model))
            stack.enter_context(self._around_backward(named=named))
            yield

    @contextmanager
    def _around_calls(self, model: nn.Module) -> Iterator[None]:
        entered: list[Any] = []

        def before(*_: object) -> None:
            entered.append(self.phases("forward"))
            entered[-1].__enter__()

        def after(*_: object) -> None:
            entered.pop().__exit__(None, None, None)

        handles = [
            model.register_forward_pre_hook(before, prepend=True),
            model.register_forward_hook(after, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _around_backward(self, *, named: bool) -> Iterator[None]:
        """Within, `Tensor.backward` ends in the phase in which it began: layers have the time meanwhile."""
        honest = torch.Tensor.backward

        def backward(*args: Any, **more: Any) -> None:  # noqa: ANN401
            around = self.phases.names[-1] if self.phases.names else OTHER
            with self.phases(around if named else "backward"):
                honest(*args, **more)  # type: ignore[no-untyped-call]

        torch.Tensor.backward = backward  # type: ignore[method-assign]
        try:
            yield
        finally:
            torch.Tensor.backward = honest  # type: ignore[method-assign]

    def _watch_optimizers(self) -> None:
        """From now on each optimizer of the models is known, and its step is a phase unless the step names phases."""
        entered: list[Any] = []
        this = weakref.ref(self)  # torch keeps hooks of all optimizers as long as the process lives

        def before(optimizer: optim.Optimizer, *_: object) -> None:
            trainer = this()
            entered.append(trainer._phase_of(optimizer) if trainer else nullcontext())  # noqa: SLF001
            entered[-1].__enter__()

        def after(*_: object) -> None:
            entered.pop().__exit__(None, None, None)

        register_optimizer_step_pre_hook(before)
        register_optimizer_step_post_hook(after)

    def _phase_of(self, optimizer: optim.Optimizer) -> AbstractContextManager[None]:
        """The phase of an optimizer's step, named after the models whose parameters it has; nothing if it has none."""
        if optimizer not in self._optimizers:
            own = {id(p) for group in optimizer.param_groups for p in group["params"]}
            trained = [name for name, model in named_roots(self.model) if own & {id(p) for p in model.parameters()}]
            if not trained:
                return nullcontext()
            again = len(self._optimizers) + 1 if trained == [""] and self._optimizers else ""
            self._optimizers[optimizer] = " ".join(filter(None, ["optimizer", "+".join(trained), str(again)]))
        return nullcontext() if self.names_phases else self.phases(self._optimizers[optimizer])


def named_roots(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The models that a step calls, by name; one model has an empty name."""
    return list(model.items()) if isinstance(model, nn.ModuleDict) else [("", model)]


def called_by_name(call: Any, known: Sequence[str], needed: str, what: str) -> list[str]:  # noqa: ANN401
    """Which of the known arguments a user's function takes. Raises TaskError if it needs others, or lacks `needed`."""
    parameters = inspect.signature(call).parameters
    others = [
        key for key, p in parameters.items()
        if key not in known and p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]  # fmt: skip
    if others or needed not in parameters:
        takes, may = ", ".join(parameters) or "nothing", [key for key in known if key != needed]
        msg = f"{what} takes {takes}: it must take {needed}, and may take {', '.join(may[:-1])} and {may[-1]}"
        raise TaskError(msg)
    return [key for key in known if key in parameters]
