"""One training step, one epoch, and evaluation. Nothing here measures time or prints."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

from nin import choices
from nin.choices import COMPILE_MODES, OPTIMIZERS, PRECISIONS
from nin.loaders import Batch

MEMORY_FORMATS: dict[str, torch.memory_format] = {
    name: getattr(torch, torch_name) for name, torch_name in choices.MEMORY_FORMATS.items()
}

LEARNING_RATE = 0.002
PHASES = ("data", "h2d", "forward", "loss", "backward", "scaler", "optimizer", "read")

Mark = Callable[[str], None]
"""Called with the name of a phase as that phase begins."""


def no_mark(phase: str) -> None:
    """Let the phase begin unnoticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a model is trained: every choice that changes speed and not the recipe."""

    device: torch.device
    precision: str = "default"
    memory_format: str = "nchw"
    compile_mode: str = "eager"
    optimizer: str = "default"
    sync: str = "epoch"
    cudnn_benchmark: str = "off"
    """Whether cuDNN tries its algorithms for each new shape, and keeps the fastest."""

    def __post_init__(self) -> None:
        """Raise ValueError for a value that its axis does not have."""
        for name, values in choices.CHOICES.items():
            if getattr(self, name) not in values:
                msg = f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}"
                raise ValueError(msg)


class Trainer:
    """A model in training under one setup: the same code trains and is measured.

    `model` stays as it was given, so its leaves can be hooked. A step calls `forward`, which is the
    compiled model if the setup compiles. torch's flags for precision and cuDNN are process-wide, so
    a process holds one Trainer.
    """

    def __init__(self, model: nn.Module, setup: Setup, lr: float = LEARNING_RATE) -> None:
        self.setup = setup
        self.format = MEMORY_FORMATS[setup.memory_format]
        self.model = model.to(setup.device).to(memory_format=self.format)
        set_precision(setup.precision)
        torch.backends.cudnn.benchmark = setup.cudnn_benchmark == "on"
        self.forward = compiled(self.model, setup.compile_mode)
        asked = OPTIMIZERS[setup.optimizer]
        self.optimizer = optim.Adam(self.model.parameters(), lr=lr, foreach=asked.foreach, fused=asked.fused)
        # Small gradients vanish in float16: the loss is scaled up before backward, and steps that overflow are skipped.
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=PRECISIONS[setup.precision].scaled)
        self._mark: Mark = no_mark
        if self.scaler.is_enabled():  # it calls the optimizer itself, which is a phase of its own
            self.optimizer.register_step_pre_hook(lambda *_: self._mark("optimizer"))
            self.optimizer.register_step_post_hook(lambda *_: self._mark("scaler"))
        self.reset_totals()

    def reset_totals(self) -> None:
        """Forget the losses and hits of the steps so far."""
        self.loss_sum: torch.Tensor | float = 0.0
        self.correct: torch.Tensor | int = 0
        self.images = 0
        self.steps = 0

    def move(self, x: torch.Tensor, y: torch.Tensor) -> Batch:
        """The batch on the device, the images in the memory format."""
        device = self.setup.device
        x = x.to(device, non_blocking=True).contiguous(memory_format=self.format)
        return x, y.to(device, non_blocking=True)

    def autocast(self) -> AbstractContextManager[object]:
        """The context of forward and loss: autocast in the precision's type, if it has one."""
        dtype = PRECISIONS[self.setup.precision].autocast
        return torch.autocast(self.setup.device.type, dtype=getattr(torch, dtype)) if dtype else nullcontext()

    def step(self, x: torch.Tensor, y: torch.Tensor, mark: Mark = no_mark) -> None:
        """Train on one batch of images (N, C, H, W) and labels (N,), in the notebook's order."""
        mark("h2d")
        x, y = self.move(x, y)
        self._begin_graphs()
        with self.autocast():
            mark("forward")
            logits_NK = self.forward(x)
            mark("loss")
            loss = F.cross_entropy(logits_NK, y)
        mark("optimizer")
        self.optimizer.zero_grad()
        if self.scaler.is_enabled():
            self._scaled(loss, mark)
        else:
            mark("backward")
            loss.backward()
            mark("optimizer")
            self.optimizer.step()
        mark("read")
        self._read(loss.detach(), logits_NK.detach(), y)

    def _begin_graphs(self) -> None:
        """Allow CUDA graphs, if the mode has them, to overwrite what the last step left."""
        if COMPILE_MODES[self.setup.compile_mode].graphs:
            torch.compiler.cudagraph_mark_step_begin()

    def _scaled(self, loss: torch.Tensor, mark: Mark) -> None:
        """Backward and optimizer through the GradScaler, which skips the optimizer if a gradient overflowed."""
        mark("scaler")
        scaled = self.scaler.scale(loss)
        mark("backward")
        scaled.backward()
        mark("scaler")
        self._mark = mark
        self.scaler.step(self.optimizer)
        self._mark = no_mark
        self.scaler.update()

    def optimizer_steps(self) -> int:
        """How often the optimizer changed the weights: fewer times than steps if the GradScaler skipped some."""
        return max((int(state["step"]) for state in self.optimizer.state.values()), default=0)

    def _read(self, loss: torch.Tensor, logits_NK: torch.Tensor, y_N: torch.Tensor) -> None:
        hits = (logits_NK.argmax(dim=1) == y_N).sum()
        if self.setup.sync == "step":
            self.loss_sum += loss.item()
            self.correct += int(hits.item())
        else:
            self.loss_sum = self.loss_sum + loss
            self.correct = self.correct + hits
        self.images += len(y_N)
        self.steps += 1

    def epoch(self, batches: Iterable[Batch]) -> tuple[float, float]:
        """Train once over the batches: the mean loss a batch, and the accuracy meanwhile.

        Raises ValueError if there is no batch.
        """
        self.model.train()
        self.reset_totals()
        for x, y in batches:
            self.step(x, y)
        if not self.images:
            msg = "an epoch needs at least one batch"
            raise ValueError(msg)
        return float(self.loss_sum) / self.steps, float(self.correct) / self.images

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> "Evaluation":
        """How the model does on the batches in eval mode. Raises ValueError if there is no batch."""
        self.model.eval()
        correct, images = torch.zeros((), dtype=torch.long, device=self.setup.device), 0
        predicted_K: torch.Tensor | int = 0
        for batch in batches:
            x, y = self.move(*batch)
            self._begin_graphs()
            with self.autocast():
                logits_NK = self.forward(x)
            classes_N = logits_NK.argmax(dim=1)
            correct += (classes_N == y).sum()
            predicted_K = predicted_K + torch.bincount(classes_N, minlength=logits_NK.shape[1])
            images += len(y)
        self.model.train()
        if not images or isinstance(predicted_K, int):
            msg = "an evaluation needs at least one batch"
            raise ValueError(msg)
        return Evaluation(accuracy=int(correct) / images, predicted=tuple(predicted_K.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a model does on the images of an evaluation."""

    accuracy: float
    predicted: tuple[int, ...]
    """The number of images that the model puts in each class."""

    @property
    def never_predicted(self) -> list[int]:
        """The classes into which the model puts no image."""
        return [k for k, count in enumerate(self.predicted) if not count]


def set_precision(precision: str) -> None:
    """Set torch's process-wide float32 flags as the precision asks: IEEE for fp32, TF32 for tf32.

    The older calls come first: torch's own compiler still reads them, and refuses to if the newer flags
    disagree. Then come the newer flags, which are separate for convolutions and matrix products.
    """
    flag = PRECISIONS[precision].flag
    if not flag:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older calls are deprecated
        torch.set_float32_matmul_precision("highest" if flag == "ieee" else "high")
        torch.backends.cudnn.allow_tf32 = flag == "tf32"
    cudnn: Any = torch.backends.cudnn
    for holder in (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn):
        holder.fp32_precision = flag
    if flag == "ieee":  # tf32 is for CUDA only; oneDNN has its own flags
        torch.backends.mkldnn.matmul.fp32_precision = flag  # type: ignore[attr-defined]
        torch.backends.mkldnn.conv.fp32_precision = flag  # type: ignore[attr-defined]


def compiled(model: nn.Module, compile_mode: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model as a step calls it: as it is, or compiled for one fixed shape."""
    asked = COMPILE_MODES[compile_mode]
    if not asked.compiles:
        return model
    forward: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model, mode=asked.mode, dynamic=False)
    return forward
