"""What a trial trains or calls: the model, the batches and the trainer of one variant."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from bench.core.axes.axis import SetBy
from bench.core.axes.kind import Kind, kind_of
from bench.core.axes.world_size import NOT_DIVIDED
from bench.core.exchange.cause import Cause
from bench.core.variants import AXES, DEFAULTS, Variant
from bench.measure.devices.find import backend_of
from bench.measure.ranks.exchange import Exchanger
from bench.measure.ranks.parallel import trainer_of_ranks
from bench.measure.ranks.peers import ALONE, Peers
from bench.measure.system.flags import set_flags
from bench.tasks.batches import Batches, endless_loader
from bench.tasks.declared import make_model, make_task
from bench.tasks.factory import build_model
from bench.tasks.inference import Inference
from bench.tasks.nest import tensors
from bench.tasks.own_loop import LoopTrainer
from bench.tasks.own_step import StepTrainer
from bench.tasks.task import Task, owns_loop, owns_step
from bench.tasks.trainer import TaskTrainer
from nin import data
from nin.choices import PRECISIONS
from nin.loaders import Loader, make_loader
from nin.train import Mark, Setup, Trainer, no_mark

SETTINGS = tuple(name for name, axis in AXES.items() if axis.set_by is SetBy.TRAINER)
"""The axes that are choices of a trainer."""


class UnsupportedError(Exception):
    """The variant can't run here."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is fed to the model: Fashion-MNIST from a folder, seeded random images of a shape, or a task's batches."""

    folder: str | None = None
    """None means the subset inside the package."""
    shape: tuple[int, int, int] | None = None
    classes: int = data.CLASSES
    task: bool = False
    """Whether the variant's model is a task, which makes its own batches."""

    def images(self, seed: int) -> data.Images:
        """The train images."""
        if self.shape is not None:
            return data.random_images(self.shape, self.classes, seed)
        if self.folder is None:
            return data.load(data.subset(), train=True)
        folder = Path(self.folder).expanduser()
        return data.load(data.Source(name="", folder=folder, is_subset=False), train=True)


@dataclass(slots=True, kw_only=True)
class Workload:
    """A trainer and an endless stream of what its steps take."""

    trainer: Any
    """nin's Trainer or one of bench.tasks: what is measured of all is alike; an older tree's may lack some of it."""
    batches: Iterator[tuple[Any, ...]]
    """What each step takes: images and labels, or a task's batches, of which a step may take several."""
    variant: Variant
    loader: Any
    """What the batches come from."""
    inputs: Inputs
    seed: int
    task: Task | None = None
    """The task; None for an image classifier."""
    peers: Peers = ALONE
    """The ranks that train together, of which this process is one."""
    exchanger: Exchanger[Any] | None = None
    """What watches the exchange of several ranks; None in a process that trains alone."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.trainer.setup.device
        return device

    @property
    def kind(self) -> Kind:
        """The kind of device that the model is on."""
        return kind_of(self.device.type)

    @property
    def items(self) -> float:
        """The mean items of the steps so far, of this process alone."""
        if isinstance(self.trainer, StepTrainer):
            return self.trainer.items
        return self.batches.items if isinstance(self.batches, Batches) else float(self.variant.batch_size)

    @property
    def owns_step(self) -> bool:
        """Whether the task calls backward and its optimizers itself."""
        return isinstance(self.trainer, StepTrainer)

    @property
    def runs_elsewhere(self) -> bool:
        """Whether steps run in a thread of their own, which instruments of this thread don't see."""
        return isinstance(self.trainer, LoopTrainer)

    @property
    def unit(self) -> str:
        """What the items are."""
        return self.task.unit if self.task else "images"

    def step(self, batch: Sequence[Any], mark: Mark = no_mark) -> None:
        """Take a step on what it needs; `mark` is called with the name of each phase as it begins."""
        self.trainer.step(*batch, mark=mark)

    def loss(self, model: Any, *batch: Any) -> torch.Tensor:  # noqa: ANN401 - the model as it is, or compiled
        """The loss of what one step takes, on the device; in inference the sum of what the model returns for it."""
        if self.variant.infers:
            floats = filter(torch.is_floating_point, tensors(self.trainer.task.predict(model, batch[0])))
            return sum((x.sum() for x in floats), start=torch.zeros(()))
        if self.task is None:
            x, y = batch
            return F.cross_entropy(model(x), y)
        losses = [self.task.loss(model, each) for each in batch]
        return sum(losses[1:], start=losses[0]) / len(losses)

    @property
    def eager(self) -> bool:
        """Whether the leaves run one by one, so that they can be hooked."""
        return not self.variant.compiled

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """The GradScaler of a variant that has one switched on. The trainer of an older tree has none."""
        scaler: torch.amp.GradScaler | None = getattr(self.trainer, "scaler", None)
        return scaler if scaler is not None and scaler.is_enabled() else None

    @property
    def waits(self) -> bool:
        """Whether a step waits for its device: `.item()` does, and the GradScaler, unless the optimizer is fused."""
        return self.variant.reads_each_step or (self.scaler is not None and self.variant.waits_for_scaler)

    @property
    def queues(self) -> bool:
        """Whether the host can give a whole step, its batch included, to a device that is busy with something else."""
        on_device = self.variant.loads_on_device and self.task is None
        return on_device and not self.waits and backend_of(self.device).holds(self.device)

    @property
    def workers(self) -> int:
        """How many processes make batches in advance; 0 if the training process makes each batch when it needs it."""
        return int(getattr(self.loader, "num_workers", 0))

    @property
    def in_advance(self) -> int:
        """How many batches the workers make in advance at most."""
        return self.workers * int(getattr(self.loader, "prefetch_factor", None) or 0)

    @property
    def loss_scale(self) -> float:
        """By how much the loss is scaled up before backward."""
        return float(self.scaler.get_scale()) if self.scaler else 1.0

    def whole_loader(self) -> Loader:
        """A loader of all train images, the last partial batch included. Raises UnsupportedError for a task."""
        if self.task:
            raise UnsupportedError(Cause.UNSUPPORTED_SETTING, "a task says nothing of an epoch")
        variant, images = self.variant, self.inputs.images(self.seed)
        return make_loader(variant.loader, images, int(variant.batch_size), device=self.device, seed=self.seed)


def build(variant: Variant, inputs: Inputs, seed: int, peers: Peers = ALONE) -> Workload:
    """The workload of a variant, before anything runs.

    Raises UnsupportedError if the variant can't be set up here, ModelError if the model can't be made, DataError if
    the data is damaged.
    """
    device = torch.device(variant.device)
    backend = backend_of(device)
    if missing := backend.missing(device):
        raise UnsupportedError(Cause.NO_DEVICE, missing)
    if why := variant.why_no_inference or variant.why_no_ranks:
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, why)
    if variant.world_size != peers.size:
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, "of several ranks only steps, layers and memory are measured")
    if peers.are_several and inputs.task:
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, NOT_DIVIDED)
    backend.take(device)
    if variant.threads is not None:
        torch.set_num_threads(variant.threads)
    set_flags(variant)
    if variant.compiled:
        from torch._dynamo import config  # noqa: PLC0415 - slow, and eager does without

        config.fail_on_recompile_limit_hit = True  # else torch goes on eagerly, and only a log says so
    return of_task(variant, inputs, seed, device) if inputs.task else of_images(variant, inputs, seed, device, peers)


def of_images(variant: Variant, inputs: Inputs, seed: int, device: torch.device, peers: Peers) -> Workload:
    """The workload of an image classifier. Each rank has a part of the images, and the same weights at first."""
    images = part_of(inputs.images(seed), peers)
    torch.manual_seed(seed)
    model = build_model(variant.model, images.pixels_NCHW.shape[1], inputs.classes)
    setup = setup_of(variant, device)
    loader = make_loader(variant.loader, images, int(variant.batch_size), device=device, seed=seed, drop_last=True)
    if not len(loader):
        msg = f"a batch of {variant.batch_size} is more than the {len(images)} train images there are"
        raise UnsupportedError(Cause.BATCH_BEYOND_DATA, msg)
    made = partial(Workload, variant=variant, loader=loader, inputs=inputs, seed=seed)
    if variant.infers:
        images_alone = (((x,),) for x, _ in endless(loader))  # each step takes one batch, which has no labels
        return made(trainer=Inference(Task(), model, setup), batches=images_alone)
    model.train()
    if not peers.are_several:
        return made(trainer=Trainer(model, setup), batches=endless(loader))
    make = partial(Trainer, setup=setup)
    trainer, exchanger = trainer_of_ranks(make, model, device, peers, variant.parallel)
    return made(trainer=trainer, batches=endless(loader), peers=peers, exchanger=exchanger)


def part_of(images: data.Images, peers: Peers) -> data.Images:
    """Every image that is this rank's: no two ranks share one. All of them for a process that trains alone."""
    if not peers.are_several:
        return images
    own = slice(peers.rank, None, peers.size)
    return replace(images, pixels_NCHW=images.pixels_NCHW[own].contiguous(), labels_N=images.labels_N[own].contiguous())


def of_task(variant: Variant, inputs: Inputs, seed: int, device: torch.device) -> Workload:
    """The workload of a task."""
    torch.manual_seed(seed)
    task, name, size = make_task(variant.model), variant.model, int(variant.batch_size)
    refuse_owned(variant, task)
    if variant.infers and (owns_loop(task) or owns_step(task)):
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, "a task with a step or a loop of its own only trains")
    setup, batches, loader = setup_of(variant, device), cast("Iterator[tuple[Any, ...]]", itertools.repeat(())), None
    if variant.infers:  # one batch a call, however many a training step accumulates
        trainer: Inference | TaskTrainer | StepTrainer = Inference(task, make_model(task, name), setup)
        batches = Batches(task, size, name, in_a_step=1)
        loader = batches.source
    elif owns_loop(task):
        trainer = LoopTrainer(task, setup, size, name)
    elif owns_step(task):
        trainer = StepTrainer(task, make_model(task, name), setup, Batches(task, size, name))
    else:
        trainer, batches = TaskTrainer(task, make_model(task, name), setup, name), Batches(task, size, name)
        loader = batches.source
        if trainer.own_optimizer:
            refuse(variant, "optimizer", "the task makes its own optimizer")
    return Workload(
        trainer=trainer, batches=batches, variant=variant, loader=loader, inputs=inputs, seed=seed, task=task
    )


def refuse_owned(variant: Variant, task: Task) -> None:
    """Raises UnsupportedError if the variant asks for what the task decides itself: that is as the task has it."""
    for name in owned_axes(task):
        if name != "precision" or PRECISIONS[variant.precision].autocast:  # a flag of torch acts on any code
            refuse(variant, name, f"the task decides its {name} itself")


def owned_axes(task: Task) -> tuple[str, ...]:
    """The axes that a task decides itself."""
    if owns_loop(task):
        return ("loader", "compile_mode", "optimizer", "sync", "precision", "memory_format")
    return ("loader", "compile_mode", "optimizer", "sync", "precision") if owns_step(task) else ("loader",)


def refuse(variant: Variant, axis: str, why: str) -> None:
    """Raises UnsupportedError, for this reason, if an axis is not at its default."""
    if getattr(variant, axis) != DEFAULTS[axis]:
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, why)


def setup_of(variant: Variant, device: torch.device) -> Setup:
    """The setup of a variant. An older tree's setup has fewer settings: it works by the defaults of the others.

    Raises UnsupportedError if it lacks a setting that is not at its default.
    """
    known = {field.name for field in fields(Setup)}
    if missing := [name for name in SETTINGS if name not in known and getattr(variant, name) != DEFAULTS[name]]:
        msg = f"nin of this tree has no {', '.join(missing)}"
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, msg)
    return Setup(device=device, **{name: getattr(variant, name) for name in SETTINGS if name in known})


def endless(loader: Loader) -> Iterator[tuple[Any, ...]]:
    """The loader's batches, epoch after epoch; workers go on across an epoch's end."""
    if isinstance(loader, DataLoader) and loader.num_workers and loader.batch_sampler is not None:
        yield from endless_loader(loader, loader.batch_sampler)
    while True:
        yield from loader
