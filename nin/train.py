"""One training step, one epoch, and evaluation. Nothing here measures time or prints."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

from nin.loaders import Batch

PRECISIONS = ("default", "fp32", "tf32", "bf16", "fp16")
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
MEMORY_FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
COMPILE_MODES = ("eager", "inductor", "reduce-overhead", "max-autotune")
OPTIMIZERS = ("default", "foreach", "fused")
SYNCS = ("epoch", "step")
CUDNN_BENCHMARKS = ("off", "on")

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
        """Raise ValueError for a value that is none of its axis."""
        for name, values in (
            ("precision", PRECISIONS),
            ("memory_format", tuple(MEMORY_FORMATS)),
            ("compile_mode", COMPILE_MODES),
            ("optimizer", OPTIMIZERS),
            ("sync", SYNCS),
            ("cudnn_benchmark", CUDNN_BENCHMARKS),
        ):
            if getattr(self, name) not in values:
                msg = f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}"
                raise ValueError(msg)


class Trainer:
    """A model in training under one setup: the same code trains, and is measured.

    `model` stays as it was given (its leaves can be hooked); `forward` is what a step calls, the
    compiled model where the setup compiles. The flags of torch for precision and cuDNN are
    process-wide: a process holds one Trainer.
    """

    def __init__(self, model: nn.Module, setup: Setup, lr: float = LEARNING_RATE) -> None:
        self.setup = setup
        self.format = MEMORY_FORMATS[setup.memory_format]
        self.model = model.to(setup.device).to(memory_format=self.format)
        set_precision(setup.precision)
        torch.backends.cudnn.benchmark = setup.cudnn_benchmark == "on"
        self.forward = compiled(self.model, setup.compile_mode)
        self.optimizer = optim.Adam(
            self.model.parameters(),
            lr=lr,
            foreach=True if setup.optimizer == "foreach" else None,
            fused=True if setup.optimizer == "fused" else None,
        )
        # Small gradients vanish in float16: the loss is scaled up before backward, and steps that overflow are skipped.
        self.scaler = torch.amp.GradScaler(setup.device.type, enabled=setup.precision == "fp16")
        self._mark: Mark = no_mark
        if self.scaler.is_enabled():  # it calls the optimizer itself, whose time is its own
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
        """The context of forward and loss: autocast under bf16 and fp16, else none."""
        dtype = AUTOCAST.get(self.setup.precision)
        return nullcontext() if dtype is None else torch.autocast(self.setup.device.type, dtype=dtype)

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
        """Tell CUDA graphs, where a mode has them, that what the last step left may be overwritten."""
        if self.setup.compile_mode in ("reduce-overhead", "max-autotune"):
            torch.compiler.cudagraph_mark_step_begin()

    def _scaled(self, loss: torch.Tensor, mark: Mark) -> None:
        """Backward and optimizer through the GradScaler, which skips the optimizer where a gradient overflowed."""
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
        """How often the optimizer changed the weights: fewer than the steps where the GradScaler skipped some."""
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
        """Train once over the batches; the mean loss a batch and the accuracy meanwhile."""
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
        """How the model, in eval mode, does on the batches."""
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
    """How a model does on images that it was not trained on."""

    accuracy: float
    predicted: tuple[int, ...]
    """How many images were given each class."""

    @property
    def never_predicted(self) -> list[int]:
        """The classes that no image was given."""
        return [k for k, count in enumerate(self.predicted) if not count]


def set_precision(precision: str) -> None:
    """Set torch's process-wide float32 flags: IEEE for fp32, TF32 for tf32; others stay as torch has them.

    By the older calls first, which torch's own compiler still reads (and refuses to read where the
    newer flags disagree), then by the newer ones, which tell convolutions and matrix products apart.
    """
    flag = {"fp32": "ieee", "tf32": "tf32"}.get(precision)
    if flag is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older calls are deprecated
        torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    cudnn: Any = torch.backends.cudnn
    for holder in (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn):
        holder.fp32_precision = flag
    if precision == "fp32":  # TF32 is CUDA's alone; oneDNN has its own switches
        torch.backends.mkldnn.matmul.fp32_precision = flag  # type: ignore[attr-defined]
        torch.backends.mkldnn.conv.fp32_precision = flag  # type: ignore[attr-defined]


def compiled(model: nn.Module, compile_mode: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model as a step calls it: itself under eager, else compiled for one fixed shape."""
    if compile_mode == "eager":
        return model
    mode = None if compile_mode == "inductor" else compile_mode
    forward: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model, mode=mode, dynamic=False)
    return forward
