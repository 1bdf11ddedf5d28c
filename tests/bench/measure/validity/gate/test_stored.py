"""What the gate computes once a run: later trials read it, and get the same result."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from torch import nn

from bench.core.variants import Variant
from bench.measure import trial
from bench.measure.validity.gate import calculation, numerics, numerics_layers, numerics_whole, stored
from bench.measure.validity.gate.stored import Store
from bench.measure.workload import Inputs, Workload, build
from tests.bench.measure.asking import request

MakeWork = Callable[..., Workload]
SMALL = {"model": "tests_models:normalised", "shape": (1, 28, 28), "batch_size": 8}


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """The types of the scores of each forward and backward from here on."""
    types: list[torch.dtype] = []
    honest = calculation.forward_backward

    def noted(*rest: object) -> tuple[torch.Tensor, float]:
        scores_NK, loss = honest(*rest)  # type: ignore[arg-type]
        types.append(scores_NK.dtype)
        return scores_NK, loss

    monkeypatch.setattr(numerics_layers, "forward_backward", noted)
    monkeypatch.setattr(numerics_whole, "forward_backward", noted)
    return types


@pytest.fixture(params=["layers", "whole"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the gate compares: layer by layer, or as a whole as it does compiled variants."""
    if request.param == "whole":
        monkeypatch.setattr(Workload, "eager", False)
    return str(request.param)


def gated(store: Store, **axes: object) -> dict[str, float]:
    """What the gate says of a small variant."""
    chosen = SMALL | axes
    inputs = Inputs(shape=chosen.pop("shape"))  # type: ignore[arg-type]
    seed = int(chosen.pop("seed", 0))  # type: ignore[call-overload]
    result = numerics.measure(build(Variant(**chosen), inputs, seed=seed), store)  # type: ignore[arg-type]
    return {row.metric: row.value for row in result.samples().rows} | {"share": result.last.gradients.share}


def only(folder: Path, kind: str) -> Path:
    """The one file of a kind."""
    (file,) = folder.glob(f"{kind}-*.pt")
    return file


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_later_trial_gets_the_same_result_without_float64(
    precision: str, kind: str, tmp_path: Path, exact: list[torch.dtype]
) -> None:
    alone = gated(Store(), precision=precision)
    first = gated(Store(tmp_path), precision=precision)
    exact.clear()
    second = gated(Store(tmp_path), precision=precision)

    assert first == second == alone
    assert torch.float64 not in exact
    assert len(exact) == 1
    assert only(tmp_path, kind).stat().st_size


def test_variants_of_other_precision_or_layout_share_float64_alone_or_yardsticks_too(
    tmp_path: Path, exact: list[torch.dtype]
) -> None:
    gated(Store(tmp_path), precision="fp32")
    exact.clear()
    assert gated(Store(tmp_path), precision="fp32", memory_format="nhwc") == gated(
        Store(), precision="fp32", memory_format="nhwc"
    )
    assert exact.count(torch.float64) == 1  # of the gate without a store
    exact.clear()
    gated(Store(tmp_path), precision="bf16")

    assert torch.float64 not in exact
    assert exact.count(torch.bfloat16) == 3  # two layouts' plain code, and the variant
    assert len(list(tmp_path.glob("yardsticks-*.pt"))) == 2


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"model": "tests_models:honest"}, {"shape": (1, 32, 32)}, {"batch_size": 4}]
)
def test_another_seed_model_image_or_batch_does_not_use_the_file(
    other: dict[str, object], kind: str, tmp_path: Path, exact: list[torch.dtype]
) -> None:
    gated(Store(tmp_path))
    exact.clear()
    gated(Store(tmp_path), **other)

    assert exact.count(torch.float64) == 1
    assert len(list(tmp_path.glob(f"{kind}-*.pt"))) == 2


def test_changed_code_of_the_model_does_not_use_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_work: MakeWork
) -> None:
    (tmp_path / "edited.py").write_text(OWN.format(factor=1.0))
    monkeypatch.syspath_prepend(str(tmp_path))
    work = real_work(model="edited:made", batch_size=8, shape=(1, 28, 28))
    before = stored.digest(stored.model_facts(work, work.trainer.model))
    assert stored.digest(stored.model_facts(work, work.trainer.model)) == before
    (tmp_path / "edited.py").write_text(OWN.format(factor=1.5))

    assert stored.digest(stored.model_facts(work, work.trainer.model)) != before


OWN = """
from torch import nn
class Own(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.last = nn.Linear(channels * 784, classes)
    def forward(self, x):
        return self.last(x.flatten(1)) * {factor}
def made(channels, classes):
    return Own(channels, classes)
"""


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("damage", ["cut", "empty", "a byte", "other tensors", "no dict"])
def test_a_damaged_file_is_computed_and_written_again(damage: str, tmp_path: Path, exact: list[torch.dtype]) -> None:
    first = gated(Store(tmp_path))
    gated(Store(tmp_path / "other"), model="tests_models:honest")
    for file in tmp_path.glob("*.pt"):
        content = bytearray(file.read_bytes())
        if damage == "a byte":  # in the numbers of the last tensor, which the file's directory follows
            content[content.rindex(b"PK\x03\x04", 0, len(content) * 3 // 4) + 200] ^= 1
        if damage == "other tensors":
            content = bytearray(next((tmp_path / "other").glob(f"{file.name.partition('-')[0]}-*.pt")).read_bytes())
        file.write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage)])
        if damage == "no dict":
            torch.save([1, 2], file)
    exact.clear()

    assert gated(Store(tmp_path)) == first
    assert exact.count(torch.float64) == 1
    exact.clear()
    assert gated(Store(tmp_path)) == first
    assert torch.float64 not in exact


def test_a_file_that_would_run_code_does_not(tmp_path: Path) -> None:
    file = tmp_path / "bad.pt"
    torch.save({"content": Runs(tmp_path / "it ran")}, file)

    with pytest.raises(Exception, match="Weights only load failed"):
        stored.read(file)
    assert not (tmp_path / "it ran").exists()


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.file), "w")


def test_a_fault_is_detected_with_a_stored_reference_too(tmp_path: Path, real_work: MakeWork) -> None:
    gated(Store(tmp_path), precision="fp32")
    for axes in ({"precision": "fp32"}, {"precision": "bf16"}):
        work = real_work(**SMALL | axes)
        work.trainer.model.get_submodule("3").register_forward_hook(lambda _m, _x, y: y * 1.01)
        result = numerics.measure(work, Store(tmp_path))

        assert result.fault
        assert result.fault.reason.startswith("the output of 3 is off by a factor, by ")


def test_what_is_too_large_or_can_t_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_BYTES", 1000)
    stored.write(tmp_path / "large.pt", [torch.zeros(251)])
    stored.write(tmp_path / "small.pt", {"a": (torch.zeros(200),)})
    stored.write(tmp_path / "one_too_many.pt", torch.zeros(200))
    (tmp_path / "file").touch()

    assert {file.name for file in tmp_path.iterdir()} == {"small.pt", "file"}
    assert gated(Store(tmp_path / "file")) == gated(Store())


def test_weights_that_layers_share_and_buffers_without_a_state_are_stored() -> None:
    first, second = sharing(), sharing()
    stored.fill(second, stored.tensors_of(first))

    assert torch.equal(second.get_buffer("hidden"), first.get_buffer("hidden"))
    assert torch.equal(second.get_parameter("1.weight"), first.get_parameter("0.weight"))
    with pytest.raises(ValueError, match="there is no hidden"):
        stored.fill(second, dict(first.named_parameters()))


def sharing() -> nn.Module:
    """A model of two layers with one weight, and with a buffer that its state leaves out."""
    layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
    layers[1].weight = layers[0].weight
    model = nn.Sequential(*layers)
    model.register_buffer("hidden", torch.rand(2), persistent=False)
    return model


def test_a_trial_stores_in_the_folder_that_its_request_names(tmp_path: Path) -> None:
    asked = request("steps+numerics", model="tests_models:normalised", batch_size=8)
    replies = [trial.answer(replace(asked, references=str(tmp_path / "references"))) for _ in range(2)]
    rows = [[s for s in reply.samples if s.scope == "numerics" or "error" in s.metric] for reply in replies]

    assert [reply.cause for reply in replies] == [None, None]
    assert rows[0] == rows[1] != []
    kinds = {file.name.partition("-")[0] for file in (tmp_path / "references").iterdir()}
    assert kinds == {"logits", "weights", "layers", "yardsticks"}
