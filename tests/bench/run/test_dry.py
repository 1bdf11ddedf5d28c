"""Which models are tried before anything is measured, on what, and where."""

from pathlib import Path

import pytest

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply, Request
from bench.core.facts import Environment
from bench.core.header import Inputs
from bench.core.records import RecordError
from bench.core.variants import Variant
from bench.run.prepare import dry
from bench.run.prepare.dry import DryRun

OURS, THEIRS = "ours:net", "torchvision.models:resnet18"


def dry_on(shape: tuple[int, int, int] | None = None) -> DryRun:
    inputs = Inputs(folder=None, shape=shape, classes=10)
    return DryRun(inputs=inputs, seed=0, environment=Environment(cpu="Made-up CPU", cores=2), cache=Path())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Model and tree of each call; THEIRS fails in the tree `head` and here."""
    seen: list[tuple[str, str]] = []

    def answer(request: Request, _variables: object, _limit_s: float, tree: Path | None) -> Reply:
        model, where = request.variant["model"], tree.name if tree else "here"
        seen.append((model, where))
        fails = model == THEIRS and where != "base"
        return Reply(cause=Cause.MODEL_ERROR if fails else None, reason=f"{model} fails" if fails else "")

    monkeypatch.setattr(dry, "ask_in_tree", answer)
    return seen


def test_each_model_is_tried_once_and_nin_only_on_other_images(asked: list[tuple[str, str]]) -> None:
    variants = [Variant(model=m, memory_format=f) for m in ("nin", OURS, THEIRS) for f in ("nchw", "nhwc")]

    assert dict(dry_on().failing(variants)) == {THEIRS: f"{THEIRS} fails"}
    assert [model for model, _ in asked] == [OURS, THEIRS]
    asked.clear()
    list(dry_on((3, 8, 8)).failing(variants))
    assert [model for model, _ in asked] == ["nin", OURS, THEIRS]


def test_each_model_is_tried_in_each_tree(asked: list[tuple[str, str]]) -> None:
    variants = [Variant(), Variant(model=THEIRS)]
    dry_on().check_tree("base (main)", Path("base"), variants)
    with pytest.raises(RecordError, match=f"head can't be measured: {THEIRS} fails"):
        dry_on().check_tree("head", Path("head"), variants)

    assert asked == [(model, tree) for tree in ("base", "head") for model in ("nin", THEIRS)]
