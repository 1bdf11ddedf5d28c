"""A task is understood in any form; what is wrong with one is reported in one line, as docs/tasks.md lists it."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs
from bench.core.variants import Variant, as_row
from bench.measure import trial
from bench.tasks.declared import make_task

DOCS = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
ODD = {
    "Unfinished": "Unfinished has no batches(batch_size) and no loss(model, batch)",
    "NoLoss": "NoLoss has no loss(model, batch)",
    "A_MODEL": "it is a model, and a task also says its batches and its loss",
    "HoldsModel": "model is a model: make it a function that returns a new one",
    "Pair": "loss(model, batch) must return a tensor with one number, got tuple",
    "Rows": "loss(model, batch) must return a tensor with one number, got the shape (2, 1): take its mean",
    "Detached": "the loss has no gradient",
    "OtherModel": "the loss hands no gradient to the model's parameters",
    "Empty": "batches(2) has no batch",
    "Words": "a batch has no tensor",
    "CountsNothing": "items(batch) counts 0",
    "NoOptimizer": "optimizer(parameters) must return a torch.optim.Optimizer, got generator",
    "TwoWords": "unit must be one word, such as tokens, got 'many words'",
    "HalfBatches": "accumulate must be a whole number of at least 1, got 0.5",
    "ClipsAll": "clip must be above 0 or None, got 0",
    "Fails": "loss(model, batch) fails on 2x4, 2x1: RuntimeError: ",
    "OptimizesAnother": "a step changed no parameter of the model: let optimizer(parameters) use those it is given",
    "needs": "its factory needs width, and nothing is given. Name one that gives the rest: def make(): return needs(wi",
    "sized[depth=2]": "its factory has no parameter depth: it has width, kind",
    "no_such": "module 'odd_tasks' has no attribute 'no_such'",
}
IN_DOCS = (
    "has no batches(batch_size)", "it is a model, and a task also says its batches and its loss",
    "model is a model: make it a function that returns a new one",
    "loss(model, batch) must return a tensor with one number", "the loss has no gradient",
    "the loss hands no gradient to the model's parameters", "a batch has no tensor", "batches(2) has no batch",
    "items(batch) counts 0", "optimizer(parameters) must return a torch.optim.Optimizer", "its factory needs ",
    "its factory has no parameter ", "unit must be one word", "accumulate must be ", "clip must be ",
)  # fmt: skip
"""The messages in the table of docs/tasks.md."""


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The odd tasks can be imported, here and in a worker."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[3]}")


def asked(name: str, *probes: Probe, **axes: object) -> Reply:
    """The reply to a request for a task."""
    variant = Variant(model=name, **{"batch_size": 2, **axes})  # type: ignore[arg-type]
    inputs = Inputs(folder=None, shape=None, classes=10, task=True)
    return trial.answer(Request(variant=as_row(variant), inputs=inputs, seed=0, probes=probes or (Probe.BUILD,)))


@pytest.mark.parametrize(("name", "told"), ODD.items())
def test_what_is_wrong_with_a_task_is_told_in_one_line(name: str, told: str) -> None:
    reply = asked(f"odd_tasks:{name}")

    assert (reply.status, reply.cause) == (Status.ERROR, Cause.MODEL_ERROR)
    assert reply.reason.startswith(f"task odd_tasks:{name}: {told}")
    assert name != "Fails" or re.search(r" \(odd_tasks\.py, line \d+\)$", reply.reason)


@pytest.mark.parametrize("message", IN_DOCS)
def test_each_message_of_the_docs_is_one_of_these(message: str) -> None:
    assert f"`{message}" in DOCS or message in DOCS
    assert any(message in told for told in ODD.values())


@pytest.mark.parametrize("name", ["Plain", "Child", "TakesModel", "AN_OBJECT", "sized", "sized[width=16,kind=flat]"])
def test_every_form_of_a_task_can_be_trained(name: str) -> None:
    assert asked(f"odd_tasks:{name}").status is Status.OK


def test_a_module_with_these_names_is_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "task_as_module.py").write_text(
        "import odd_tasks\nunit = 'rows'\n_plain = odd_tasks.Plain()\n"
        "model, batches, loss = _plain.model, _plain.batches, _plain.loss\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    assert asked("task_as_module:").status is Status.OK
    assert make_task("task_as_module:").unit == "rows"


def test_settings_reach_the_factory_as_numbers_and_text() -> None:
    made = make_task("odd_tasks:sized[width=16,kind=flat]")

    assert made.model()[0].out_features == 16  # type: ignore[index]


def test_list_tries_the_task_and_leaves_out_other_loaders() -> None:
    result = CliRunner().invoke(app, ["list", "--task", "odd_tasks:Rows", "--device", "cpu"])

    assert "excluded: task odd_tasks:Rows: loss(model, batch) must return a tensor with one number" in result.output
    assert "notebook" not in result.output
    assert "workers" not in result.output


def test_parameters_of_a_factory_are_axes() -> None:
    call = ["list", "--task", "odd_tasks:sized", "--axis", "task.width=8,16", "--preset", "look", "--device", "cpu"]
    lines = CliRunner().invoke(app, call).output.splitlines()

    assert [line.split()[0] for line in lines[:-1]] == [
        f"cpu-default-{rest}-odd_tasks:sized[width={width}]"
        for width in (8, 16)
        for rest in ("nchw-eager-b32", "nchw-eager-b32-kept", "nhwc-eager-b32-kept")
    ]


@pytest.mark.parametrize("option", [["--model", "nin"], ["--input", "1x28x28"], ["--data", "."], ["--download"]])
def test_what_belongs_to_images_can_t_stand_beside_a_task(option: list[str]) -> None:
    result = CliRunner().invoke(app, ["run", "--task", "odd_tasks:Plain", *option])

    assert result.exit_code == 2
    assert f"--task can't go with {option[0]}: a task makes its own model and batches" in result.output


@pytest.mark.parametrize(
    ("axes", "why"),
    [({"loader": "notebook"}, "the task decides its loader itself"), ({"optimizer": "fused"}, "its own optimizer")],
)
def test_an_axis_that_can_t_act_is_unsupported(axes: dict[str, str], why: str) -> None:
    reply = asked("own_optimizer:make", Probe.STEPS, **axes)

    assert (reply.status, reply.cause) == (Status.UNSUPPORTED, Cause.UNSUPPORTED_SETTING)
    assert why in reply.reason
