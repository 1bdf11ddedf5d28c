"""A page says which variants took effect in part, and where."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.load import load
from bench.core.records import LAYERS as LAYERS_TABLE
from bench.report import pages
from bench.report.answer import answer
from bench.report.render import markdown, terminal
from bench.report.sides import ab
from bench.report.trust import effect

BASE, NHWC = "cpu-default-nchw-eager-b32", "cpu-default-nhwc-eager-b32"
STEPS = {(BASE, "A"): [1.0] * 13, (BASE, "A'"): [1.001] * 13, (NHWC, "V"): [0.5] * 13}
LAYERS = (("0", "Conv2d", 0.1, 0.3), ("1", "ReLU", 0.1, 0.3))
GATED = {"gradient_error": 1e-6, "gradient_bound": 1e-3, "score_error": 1e-7, "score_bound": 1e-6, "live_logits": 10.0}
TOLD = "1 of 2 image layers' outputs as nhwc"

MakeRun = Callable[..., Path]


def with_layer(folder: Path, variant_id: str, layer: str, **facts: str) -> Path:
    """The run, where a layer of a variant gave something else."""
    path = folder / "layers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if (row["variant_id"], row["layer"]) == (variant_id, layer):
            row.update(facts)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def made(make_run: MakeRun) -> Path:
    """A run whose nhwc variant is the fastest."""
    return make_run(STEPS, layers=LAYERS, once={BASE: GATED, NHWC: GATED})


def test_a_recommended_variant_in_part_says_so_in_every_place(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load(with_layer(made, NHWC, "1", memory_format="nchw"))
    page = pages.write(data, tmp_path)
    terminal.show(page)
    text = page.path.read_text()
    found, variants, checks = (text.split(f"## {name}")[1].split("\n## ")[0] for name in (
        "The answer", "Variants", "Is each variant what it says?",
    ))  # fmt: skip

    assert f"It took effect **in part**: {TOLD}" in found
    assert "| FASTER, in part |" in variants
    assert f"nhwc ({TOLD})" in variants
    assert f"| {TOLD}" in checks
    assert "FASTER, in part" in capsys.readouterr().out


def test_a_variant_that_took_effect_whole_needs_no_word_of_it(made: Path, tmp_path: Path) -> None:
    page = pages.write(load(made), tmp_path)

    assert effect.missed(page.data, NHWC) == []
    assert "in part" not in page.path.read_text()


def test_an_invalid_variant_is_not_called_one_in_part(make_run: MakeRun) -> None:
    folder = make_run(STEPS, layers=LAYERS, bad={(NHWC, "V", 3): "invalid"})
    data = load(with_layer(folder, NHWC, "1", memory_format="nchw"))
    row = tables.steps(data).set_index("variant_id", drop=False).loc[NHWC].to_dict()

    assert effect.verdict_words(data, row) == "INVALID"


@pytest.mark.parametrize(("got", "told"), [(2.0, "2 of 3 weights as nhwc"), (3.0, "")])
def test_weights_are_told_of_by_the_trials_themselves(got: float, told: str, make_run: MakeRun) -> None:
    folder = make_run(STEPS, layers=LAYERS, once={NHWC: {"weights_as_asked": got, "weights_that_tell": 3.0}})

    assert effect.words(load(folder), NHWC) == told


def test_what_was_faster_in_the_pilot_alone_says_so_too(make_run: MakeRun) -> None:
    bf16 = "cpu-bf16-nchw-eager-b32"
    folder = make_run(STEPS | {(bf16, "V"): [0.2]}, layers=[*LAYERS, ("2", "Linear", 0.1, 0.1)])
    data = load(with_layer(folder, bf16, "0", dtype="float32"))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert "it took effect in part (1 of 2 computing layers in bfloat16)" in text


def test_an_ab_tells_of_each_tree(make_ab: MakeRun, arms: Callable[..., dict[tuple[str, str], list[float]]]) -> None:
    folder = make_ab(arms(7, variant_id=NHWC))
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
        first_of = {row["tree"]: row["trial_id"] for row in reversed(list(csv.DictReader(file)))}
    fact = {"variant_id": NHWC, "block": "", "type": "Conv2d", "parameters": 8, "dtype": "float32", "calls": 1}
    rows = [
        fact | {"trial_id": first_of[tree], "layer": layer, "memory_format": lies}
        for tree, layer, lies in (("base", "0", "nhwc"), ("head", "0", "nhwc"), ("head", "1", "nchw"))
    ]
    (folder / "layers.csv").write_text(LAYERS_TABLE.header() + LAYERS_TABLE.text(rows))

    assert ab.in_part_words(load(folder)) == [f"nhwc took effect in part: in the head {TOLD}."]
