"""A model that can't be measured is reported in one line, which says what to do."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.exchange.cause import Cause, Status
from bench.core.variants import Variant
from bench.measure import trial
from bench.run.prepare import dry, reopen
from bench.tasks.factory import ModelError, build_model, why_unfit
from tests.bench.measure.asking import request

ODD = {
    "compiled": "it is compiled already: return the plain model, and compile it by the axis compile_mode",
    "partly_compiled": "it is compiled already",
    "forward_compiled": "it is compiled already",
    "meta": "it is on the device meta, which holds no numbers: make it on the CPU",
    "evaluated": "it is in eval mode, and every layer is measured in training: call .train() on it",
    "partly_frozen": "0 is in eval mode",
    "lazy": "1.weight has no shape yet (a lazy layer): show the model a batch in its factory, or give the sizes",
    "untrained": "it has no parameter to train",
    "of_sizes": "its factory needs width, depth, heads, and only in_channels and num_classes can be given. Name one "
    "that gives the rest: def make(in_channels, num_classes): return of_sizes(width=..., depth=..., heads=...)",
    "nothing": "the factory must return an nn.Module, got NoneType",
    "MODEL": "it is not a function: name one that returns the model, factory(in_channels, num_classes)",
    "no_such": "module 'odd_models' has no attribute 'no_such'",
}
ODD_OUTPUTS = {
    "pair": "must return scores of shape (2, 10) for 2 images, returned tuple",
    "three_classes": "must return scores of shape (2, 10) for 2 images, returned (2, 3)",
    "detached": "returns scores without a gradient (no_grad, detach or argmax): nothing could be trained",
    "detections": "must return scores of shape (2, 10) for 2 images, returned list",
    "losses": "must return scores of shape (2, 10) for 2 images, returned dict",
    "needs_targets": "fails on images of 1x28x28 alone, without targets (--input sets other images): TypeError: ",
    "no_backward": "fails in the backward pass of a cross entropy: NotImplementedError: not written yet",
    "unmoved": "hands no gradient to its parameters: nothing could be trained",
    "large_images": "fails on images of 1x28x28 alone, without targets (--input sets other images): RuntimeError: ",
}


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The odd models can be imported, here and in a worker."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[3]}")


@pytest.mark.parametrize(("name", "told"), ODD.items())
def test_an_odd_factory_is_told_of_with_the_way_out(name: str, told: str) -> None:
    with pytest.raises(ModelError) as caught:
        build_model(f"odd_models:{name}", 1, 10)

    assert str(caught.value).startswith(f"model odd_models:{name}: {told}")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_model_hides_its_layers() -> None:
    import odd_models  # type: ignore[import-not-found]

    model = nn.Sequential(nn.Conv2d(1, 1, 1), torch.jit.script(odd_models.Head()))

    assert why_unfit(model) == "it is scripted, which hides its layers: return the plain model"


@pytest.mark.parametrize(
    "name",
    ["nin", "odd_models:plain", "odd_models:without_arguments", "odd_models:of_classes", "torchvision.models:resnet18"],
)
def test_a_plain_model_is_fit(name: str) -> None:
    assert why_unfit(build_model(name, 1, 10)) == ""


@pytest.mark.parametrize(("name", "told"), ODD_OUTPUTS.items())
def test_two_images_show_what_a_model_returns(name: str, told: str) -> None:
    reply = trial.answer(request("build", model=f"odd_models:{name}", batch_size=2))

    assert (reply.status, reply.cause) == (Status.ERROR, Cause.MODEL_ERROR)
    assert reply.reason.startswith(f"model odd_models:{name} {told}")


@pytest.mark.parametrize("name", ["evaluated", "three_classes"])
def test_a_run_of_an_odd_model_ends_before_anything_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    variant = "cpu-bf16-nhwc-inductor-b8"
    result = CliRunner().invoke(
        app, ["run", "--variant", variant, "--model", f"odd_models:{name}", "--input", "1x28x28"]
    )

    assert result.exit_code == 2
    assert f"bench: model odd_models:{name}" in result.output.splitlines()[-1]
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize("name", ["detections", "no_backward", "evaluated"])
def test_list_says_why_a_model_can_t_run(name: str) -> None:
    model = f"odd_models:{name}"
    result = CliRunner().invoke(app, ["list", "--preset", "look", "--device", "cpu", "--model", model])
    *lines, last = result.output.splitlines()

    assert result.exit_code == 0, result.output
    assert len(lines) == 3
    for line in lines:
        assert f"excluded: model {model}" in line
    assert last == "none of 3 variants runs here"


def test_list_shows_a_model_the_images_that_are_named() -> None:
    asked = ["list", "--preset", "look", "--device", "cpu", "--model", "odd_models:large_images"]
    small, large = (CliRunner().invoke(app, [*asked, "--input", shape]).output for shape in ("1x28x28", "3x101x101"))

    assert "fails on images of 1x28x28 alone, without targets (--input sets other images)" in small
    assert "3 of 3 variants run here" in large


def test_list_tries_each_model_apart() -> None:
    models = "--axis", "model=odd_models:plain,odd_models:losses"
    result = CliRunner().invoke(app, ["list", "--preset", "look", "--device", "cpu", *models])

    assert result.output.count("excluded: model odd_models:losses must return scores of shape") == 3
    assert "3 of 6 variants run here" in result.output


def test_list_of_nin_starts_no_worker_but_the_one_that_tells_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry, "ask_in_tree", lambda *_, **__: pytest.fail("NiN on its own images was tried"))
    result = CliRunner().invoke(app, ["list", "--preset", "look", "--device", "cpu"])

    assert "3 of 3 variants run here" in result.output


@pytest.mark.parametrize("verb", ["run --resume made-up", "profile made-up", "micro made-up"])
def test_a_run_that_is_there_is_not_added_to_where_its_model_no_longer_runs(
    verb: str, make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopen, "differences", lambda *_: [])  # the made-up machine is not this one
    monkeypatch.chdir(tmp_path)
    model = "odd_models:losses"
    folder = make_run({(Variant(model=model).id, "A"): [1.0, 1.1]})
    header = json.loads((folder / "run.json").read_text())
    header["inputs"]["shape"] = [1, 28, 28]
    (folder / "run.json").write_text(json.dumps(header))
    before = (folder / "trials.csv").read_bytes()
    result = CliRunner().invoke(app, [*verb.split(), "--model", model])

    assert result.exit_code == 2
    assert f"bench: model {model} must return scores of shape (2, 10)" in " ".join(result.output.split())
    assert (folder / "trials.csv").read_bytes() == before
