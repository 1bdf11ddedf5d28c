"""The CUDA path as far as a machine without one can hold it: order, devices, and functions that exist."""

import ast
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from bench.core.header import Counts, PilotCounts
from bench.core.variants import Variant
from bench.measure import trial
from bench.measure.clock import EventClock
from bench.measure.probe import Subject
from bench.measure.probes import fit, memory
from bench.measure.timing import stamps, steps
from bench.measure.workload import Workload
from bench.plan.matrix import preset
from bench.plan.presets import PRESETS
from bench.tasks.factory import build_model
from nin import data
from nin.loaders import make_loader
from nin.train import Setup, Trainer
from tests.bench.fake_nvml import UUID, FakeNvml
from tests.bench.measure.asking import request

MakeWork = Callable[..., Workload]
ROOT = Path(__file__).parents[3]
VARIANTS = {e.variant.id: e.variant for name in PRESETS for e in preset(name, "cuda") if e.variant.batch_size != "max"}
CUDA = torch.device("cuda")


class Event:
    """A CUDA event that writes down what is asked of it."""

    def __init__(self, asked: list[str], **options: object) -> None:
        inspect.signature(torch.cuda.Event.__new__).bind(torch.cuda.Event, **options)
        self.asked = asked

    def record(self) -> None:
        self.asked.append("record")

    def elapsed_time(self, _end: "Event") -> float:
        self.asked.append("elapsed")
        return 250.0

    def query(self) -> bool:
        self.asked.append("query")
        return False


ANSWERS: dict[str, object] = {
    "max_memory_allocated": 7, "max_memory_reserved": 8, "mem_get_info": (100, 300),
    "get_device_properties": mock.Mock(total_memory=2**30, uuid=UUID),
}  # fmt: skip
FUNCTIONS = (
    "synchronize", "_sleep", "reset_peak_memory_stats", "set_per_process_memory_fraction", *ANSWERS,
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of torch.cuda, in order; each function only as its own signature allows."""
    found: list[str] = []
    for name in FUNCTIONS:
        answer = ANSWERS.get(name)

        def note(*_arguments: object, name: str = name, answer: object = answer, **_options: object) -> object:
            found.append(name)
            return answer

        monkeypatch.setattr(torch.cuda, name, mock.create_autospec(getattr(torch.cuda, name), side_effect=note))
    monkeypatch.setattr(torch.cuda, "Event", lambda **options: Event(found, **options))
    return found


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch, asked: list[str], real_work: MakeWork) -> Callable[..., Workload]:
    """A real workload on the CPU that says it is on CUDA; its steps are written down with what torch.cuda is asked."""

    def made(**axes: object) -> Workload:
        work = real_work(shape=(1, 28, 28), model="tests_models:honest", batch_size=2, **axes)
        step = work.trainer.step

        def noted(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
            asked.append("step")
            step(*arguments, **options)

        work.trainer.step = noted
        monkeypatch.setattr(Workload, "device", CUDA)
        return work

    return made


def timed(work: Workload, asked: list[str]) -> list[str]:
    """What is asked while two plain samples of two steps are taken."""
    clock = EventClock(CUDA, prepared=4)
    asked.clear()
    steps.plain_steps(work, clock, Counts(plain=2, iterations=2))
    return list(asked)


SAMPLE = ["synchronize", "record", "step", "step", "record", "synchronize", "elapsed"]
DISPATCH = ["synchronize", "step", "synchronize"]


def test_a_timed_region_is_steps_between_two_events_and_two_syncs(
    on_cuda: Callable[..., Workload], asked: list[str]
) -> None:
    assert [*SAMPLE, *SAMPLE, *DISPATCH * 5] == timed(on_cuda(), asked)


def test_a_sync_within_the_timed_region_is_seen(
    on_cuda: Callable[..., Workload], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, take = on_cuda(), steps.take_step

    def disturbed(w: Workload) -> None:
        take(w)
        torch.cuda.synchronize()

    monkeypatch.setattr(steps, "take_step", disturbed)

    assert [*SAMPLE, *SAMPLE, *DISPATCH * 5] != timed(work, asked)


def test_stamps_are_read_after_one_sync_and_lie_behind_a_backlog(
    on_cuda: Callable[..., Workload], asked: list[str]
) -> None:
    work = on_cuda()
    clock = EventClock(CUDA)
    clock.hold(0.01)  # tells how fast the device spins
    asked.clear()
    stamper = stamps.Stamper(work, clock)
    assert stamper.sample() is not None

    starts = [index for index, name in enumerate(asked) if name == "synchronize"]
    assert len(starts) == 4  # before and after each of two steps: one that tells the host's time, one that counts
    assert asked[starts[0] + 1] == "record"
    assert asked[starts[2] + 1 : starts[2] + 3] == ["_sleep", "record"]
    for start, end in (starts[:2], starts[2:]):
        inside = asked[start + 1 : end]
        assert set(inside) <= {"_sleep", "record", "step", "query"}
        assert (
            inside.index("query") == len(inside) - 1
        )  # whether the device was held: asked once, with all stamps taken
    assert set(asked[starts[3] + 1 :]) == {"elapsed"}


def peak_order(asked: list[str]) -> list[str]:
    return [a for a in asked if a in ("step", "reset_peak_memory_stats", "max_memory_allocated", "mem_get_info")]


def test_the_peak_is_reset_behind_the_warm_up(on_cuda: Callable[..., Workload], asked: list[str]) -> None:
    found = memory.held_and_peaks(on_cuda())
    values = {row.metric: row.value for row in found.rows if not row.layer}

    assert peak_order(asked)[:5] == ["step", "reset_peak_memory_stats", "step", "mem_get_info", "max_memory_allocated"]
    assert asked[asked.index("reset_peak_memory_stats") - 1] == "synchronize"
    assert (values["allocator_peak"], values["reserved"], values["process_peak"]) == (7, 8, 200)


def test_a_peak_that_is_reset_too_early_is_seen(
    on_cuda: Callable[..., Workload], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    def disturbed(w: Workload) -> None:
        torch.cuda.reset_peak_memory_stats()
        steps.take_step(w)

    monkeypatch.setattr(memory, "take_step", disturbed)
    memory.held_and_peaks(on_cuda())

    assert peak_order(asked)[:3] != ["step", "reset_peak_memory_stats", "step"]


def test_a_limit_of_a_gpu_s_memory_is_set_by_index(asked: list[str]) -> None:
    fit.limit("cuda", 2**29)

    assert asked[-1] == "set_per_process_memory_fraction"
    torch.cuda.set_per_process_memory_fraction.assert_called_once_with(0.5, 0)  # type: ignore[attr-defined] # by index


def test_a_trial_warms_the_gpu_up_and_tells_its_state_and_what_held_it_back(
    on_cuda: Callable[..., Workload], asked: list[str], fake_nvml: FakeNvml
) -> None:
    work = on_cuda()
    fake_nvml.now_s, fake_nvml.asked = time.perf_counter, asked
    asked_for = request("steps", pilot_counts=PilotCounts(plain=1, stamped=1))
    began = time.perf_counter()
    reply = trial.run_probes(Subject(request=asked_for, work=work, clock=EventClock(CUDA)))

    assert reply.ok, reply.reason
    assert time.perf_counter() - began > steps.WARM_S
    assert (reply.state.gpu_clock_hz, reply.state.gpu_throttle) == (1.98e9, "0x4")
    told = {sample.metric: sample.value for sample in reply.samples}
    assert told["power_throttled"] == pytest.approx(fake_nvml.capped, rel=0.01)
    assert asked.index("nvmlInit") < asked.index("step")
    questions = asked.index("nvmlDeviceGetClockInfo")
    assert asked[questions - 1] == "step"
    behind = next(name for name in asked[questions:] if not name.startswith("nvml"))
    assert behind == "synchronize"


class Reads(TorchDispatchMode):
    """Notes in which phase a tensor's value is read by the host, which waits for the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase, self.found = "", set[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if func is torch.ops.aten._local_scalar_dense.default:
            self.found.add(self.phase)
        return func(*args, **(kwargs or {}))

    def mark(self, phase: str) -> None:
        self.phase = phase


def setup_of(variant: Variant, device: str) -> Setup:
    return Setup(
        device=torch.device(device), precision=variant.precision, memory_format=variant.memory_format,
        optimizer=variant.optimizer, sync=variant.sync, cudnn_benchmark=variant.cudnn_benchmark,
    )  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_no_step_reads_a_value_but_where_its_variant_says_so(variant: Variant, asked: list[str]) -> None:
    """Adam's own count of steps lies on the host, so what it reads there waits for nothing."""
    trainer = Trainer(build_model("tests_models:honest", 1, 10), setup_of(variant, "cpu"))
    reads = Reads()
    with reads:
        for _ in range(2):
            trainer.step(torch.rand(2, 1, 28, 28), torch.zeros(2, dtype=torch.long), reads.mark)

    allowed = {"optimizer"} | ({"read"} if variant.sync == "step" else set())
    allowed |= {"scaler"} if variant.precision == "fp16" else set()
    assert reads.found <= allowed
    assert ("read" in reads.found) == (variant.sync == "step")
    assert asked == []


def replace_parameters(
    module: nn.Module, fn: Callable[[torch.Tensor], torch.Tensor], *, recurse: bool = True
) -> nn.Module:
    """What nn.Module.to does, by new parameters: torch's own can't swap those that are fake."""
    for part in module.modules() if recurse else [module]:
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, nn.Parameter(fn(parameter.detach())))
    return module


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Tensors that only say that they are on a CUDA device. Their forward works, their backward does not."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        mock.patch("torch.cuda.is_available", return_value=True),
        mock.patch("torch.cuda.is_bf16_supported", return_value=True),
        mock.patch("torch._subclasses.fake_tensor.init_gpu_context"),  # it would make a real tensor
        mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: tensor),
        mock.patch.object(nn.Module, "_apply", replace_parameters),
    ):
        yield


def fake_forward(variant: Variant, trainer_of: Callable[..., Trainer] = Trainer) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and loss of a step's forward on a CUDA device that is none."""
    with fake_cuda():
        images = data.random_images((1, 28, 28), 10, seed=0, count=8)
        trainer = trainer_of(build_model("nin", 1, 10), setup_of(variant, "cuda"))
        stored = data.Images(pixels_NCHW=images.pixels_NCHW, labels_N=images.labels_N, size=224)
        loader = "resident" if variant.loader == "resident" else "notebook"
        if loader == "resident":
            x, y = next(iter(make_loader(loader, stored, 4, device=CUDA)))
            assert x.device.type == y.device.type == "cuda"
        else:  # made on the host, moved by the trainer
            x, y = torch.rand(4, 1, 224, 224), torch.zeros(4, dtype=torch.long)
        x, y = trainer.move(x, y)
        with trainer.autocast():
            logits = trainer.forward(x)
            loss = F.cross_entropy(logits, y)
    return logits, loss


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_all_tensors_of_a_forward_are_on_the_device(variant: Variant) -> None:
    logits, loss = fake_forward(variant)
    halves = {"bf16": torch.bfloat16, "fp16": torch.float16}

    assert logits.device.type == loss.device.type == "cuda"
    assert logits.dtype == halves.get(variant.precision, torch.float32)


class Copies(TorchDispatchMode):
    """Counts the copies to the device that the host waits for, and those that it does not."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waited = self.unwaited = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and str(kwargs.get("device")).startswith("cuda"):
            self.unwaited += bool(kwargs.get("non_blocking"))
            self.waited += not kwargs.get("non_blocking")
        return func(*args, **kwargs)


def test_the_resident_loader_waits_for_nothing_at_an_epoch_s_begin() -> None:
    """An epoch of one batch would wait in every step, and no step could lie behind others in the queue."""
    copies = Copies()
    with fake_cuda():
        images = data.random_images((1, 28, 28), 10, seed=0, count=8)
        stored = data.Images(pixels_NCHW=images.pixels_NCHW, labels_N=images.labels_N, size=224)
        loader = make_loader("resident", stored, 8, device=CUDA)
        with copies:
            for _ in range(3):
                next(iter(loader))

    assert (copies.waited, copies.unwaited) == (0, 3)


def test_a_tensor_on_the_wrong_device_is_seen() -> None:
    class LeavesLabels(Trainer):
        def move(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return super().move(x, y)[0], y

    with pytest.raises(RuntimeError, match="device"):
        fake_forward(Variant(device="cuda", loader="notebook"), LeavesLabels)


def names_of_cuda(tree: ast.AST) -> set[str]:
    """X of every `torch.cuda.X` in a module."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "cuda"
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "torch"
    }


def missing(source: str) -> set[str]:
    return {name for name in names_of_cuda(ast.parse(source)) if not hasattr(torch.cuda, name)}


def test_every_cuda_function_that_is_named_exists() -> None:
    sources = [path.read_text() for folder in ("bench", "nin") for path in (ROOT / folder).rglob("*.py")]

    assert set().union(*map(missing, sources)) == set()
    assert len(set().union(*(names_of_cuda(ast.parse(s)) for s in sources))) > 10
    assert missing("torch.cuda.synchronise(device)") == {"synchronise"}
