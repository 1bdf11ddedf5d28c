"""A step is the notebook's, whatever the setup; an epoch and an evaluation count what they should."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nin import data
from nin.loaders import Batch, make_loader
from nin.model import NiN
from nin.train import PHASES, Evaluation, Setup, Trainer, set_precision

CPU = torch.device("cpu")


@pytest.fixture
def notebook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook", Path(__file__).parent / "notebook.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def he(model: nn.Module, seed: int = 0) -> nn.Module:
    """He initialisation and zero bias: with the notebook's own, gradients are near zero at first."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            nn.init.zeros_(parameter)
    return model


def copy_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def real_batches(images: data.Images, batch_size: int, count: int) -> list[Batch]:
    loader = iter(make_loader("resident", images, batch_size, device=CPU, seed=0))
    return [next(loader) for _ in range(count)]


def test_logits_loss_and_gradients_are_the_notebooks(images: data.Images, notebook: ModuleType) -> None:
    model = he(NiN())
    weights = {k: v.requires_grad_() for k, v in copy_of(model).items()}
    [(x, y)] = real_batches(images, 8, 1)

    torch.manual_seed(7)
    theirs = notebook.logits(weights, x)
    F.cross_entropy(theirs, y).backward()
    trainer = Trainer(model, Setup(device=CPU))
    torch.manual_seed(7)
    ours = model(x)
    torch.manual_seed(7)
    trainer.optimizer.step = lambda: None  # type: ignore[method-assign,assignment,misc] # keep the gradients
    trainer.step(x, y)

    assert torch.equal(theirs, ours)
    assert torch.equal(F.cross_entropy(theirs, y), torch.as_tensor(trainer.loss_sum))
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0
        assert torch.equal(weights[key].grad, parameter.grad), key  # type: ignore[arg-type]


@pytest.mark.slow
def test_twenty_steps_give_the_notebooks_losses(images: data.Images, notebook: ModuleType) -> None:
    model = he(NiN())
    weights = copy_of(model)
    batches = real_batches(images, 8, 2) * 10
    torch.manual_seed(3)
    theirs = notebook.train(weights, batches, lr=5e-5)
    trainer = Trainer(model, Setup(device=CPU), lr=5e-5)
    torch.manual_seed(3)
    ours = []
    for x, y in batches:
        trainer.reset_totals()
        trainer.step(x, y)
        ours.append(float(trainer.loss_sum))

    assert min(theirs[-2:]) < 0.95 * theirs[0]
    assert pytest.approx(theirs, rel=1e-5) == ours


def test_sync_changes_when_totals_are_read_and_not_what_they_are(images: data.Images) -> None:
    results = []
    for sync in ("epoch", "step"):
        torch.manual_seed(0)
        trainer = Trainer(NiN(), Setup(device=CPU, sync=sync))
        results.append(trainer.epoch(real_batches(images, 4, 2)))
        assert isinstance(trainer.loss_sum, float) == (sync == "step")

    assert pytest.approx(results[0], rel=1e-6) == results[1]


def test_every_phase_is_marked_as_it_begins_in_the_notebooks_order(images: data.Images) -> None:
    marks: list[str] = []
    [(x, y)] = real_batches(images, 2, 1)
    Trainer(NiN(), Setup(device=CPU)).step(x, y, mark=marks.append)

    assert ["h2d", "forward", "loss", "optimizer", "backward", "optimizer", "read"] == marks
    assert {"data", "scaler", *marks} == set(PHASES)


def test_a_grad_scaler_s_time_is_its_own(images: data.Images) -> None:
    marks: list[str] = []
    [(x, y)] = real_batches(images, 2, 1)
    Trainer(NiN(), Setup(device=CPU, precision="fp16")).step(x, y, mark=marks.append)

    assert ["h2d", "forward", "loss", "optimizer", "scaler", "backward", "scaler", "optimizer", "scaler",
            "read"] == marks  # fmt: skip


def test_steps_that_overflow_are_not_counted_as_the_optimizer_s(images: data.Images) -> None:
    trainer = Trainer(he(NiN()), Setup(device=CPU, precision="fp16"))
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    [(x, y)] = real_batches(images, 2, 1)
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer.step(x, y)

    assert (trainer.steps, trainer.optimizer_steps()) == (1, 0)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))


def test_evaluation_counts_hits_in_eval_mode(images: data.Images) -> None:
    torch.manual_seed(0)
    model = he(NiN()).eval()
    few = images.first(20)
    batches = list(make_loader("resident", few, 8, device=CPU))
    expected = sum(int((model(x).argmax(1) == y).sum()) for x, y in batches) / 20
    trainer = Trainer(model, Setup(device=CPU))
    model.train()

    assert expected == trainer.evaluate(batches).accuracy
    assert model.training


def test_classes_that_are_never_predicted_are_told() -> None:
    assert Evaluation(accuracy=0.5, predicted=(3, 0, 1, 0)).never_predicted == [1, 3]


def test_nhwc_reaches_the_layers(images: data.Images) -> None:
    trainer = Trainer(NiN(), Setup(device=CPU, memory_format="nhwc"))
    seen: list[bool] = []
    trainer.model.get_submodule("2.0").register_forward_hook(
        lambda _m, _x, y: seen.append(y.is_contiguous(memory_format=torch.channels_last))
    )
    [(x, y)] = real_batches(images, 2, 1)
    trainer.step(x, y)

    assert seen == [True]


def test_bf16_is_autocast(images: data.Images) -> None:
    trainer = Trainer(NiN(), Setup(device=CPU, precision="bf16"))
    seen: list[torch.dtype] = []
    trainer.model.get_submodule("0.0").register_forward_hook(lambda _m, _x, y: seen.append(y.dtype))
    [(x, y)] = real_batches(images, 2, 1)
    trainer.step(x, y)

    assert seen == [torch.bfloat16]
    assert {torch.float32} == {p.dtype for p in trainer.model.parameters()}


@pytest.mark.parametrize(
    ("axis", "value"),
    [
        ("precision", "fp64"),
        ("memory_format", "nwhc"),
        ("compile_mode", "jit"),
        ("sync", "never"),
        ("cudnn_benchmark", "yes"),
    ],
)
def test_an_unknown_choice_is_an_error_that_lists_them(axis: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{axis} must be one of .*, got '{value}'"):
        Setup(device=CPU, **{axis: value})


def test_an_epoch_without_batches_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        Trainer(NiN(), Setup(device=CPU)).epoch([])


@pytest.mark.parametrize(
    ("precision", "flag", "older"), [("fp32", "ieee", ("highest", False)), ("tf32", "tf32", ("high", True))]
)
def test_precision_flags_agree_in_torchs_older_and_newer_calls(
    precision: str, flag: str, older: tuple[str, bool]
) -> None:
    """Where they don't, torch refuses to tell the older ones, and its compiler with it."""
    set_precision(precision)

    assert {flag} == {
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision,  # type: ignore[attr-defined]
    }
    assert older == (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)


@pytest.mark.parametrize(("value", "flag"), [("on", True), ("off", False)])
def test_cudnn_tries_its_algorithms_where_it_is_told_to(value: str, flag: bool) -> None:
    torch.backends.cudnn.benchmark = not flag
    Trainer(nn.Linear(2, 2), Setup(device=CPU, cudnn_benchmark=value))

    assert torch.backends.cudnn.benchmark is flag


@pytest.mark.parametrize("precision", ["default", "bf16"])
def test_other_precisions_leave_the_flags_alone(precision: str) -> None:
    before = torch.backends.cuda.matmul.fp32_precision, torch.get_float32_matmul_precision()
    set_precision(precision)

    assert before == (torch.backends.cuda.matmul.fp32_precision, torch.get_float32_matmul_precision())
