"""`python -m nin` as a person calls it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nin.__main__ import app

LINE = re.compile(r"epoch 1, loss \d+\.\d{4}, train acc 0\.\d{3}, test acc [01]\.\d{3}, time \d+\.\d sec")


def call(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, options)
    return result.exit_code, result.output


def test_shapes_prints_the_notebooks_table() -> None:
    code, output = call("--shapes")

    assert code == 0
    assert output.splitlines()[0] == "0 output shape: torch.Size([1, 96, 54, 54])"
    assert output.splitlines()[9] == "9 output shape: torch.Size([1, 10])"


def test_an_epoch_prints_the_notebooks_line(no_other_data: Path) -> None:  # noqa: ARG001
    code, output = call("--epochs", "1", "--limit", "8", "--batch-size", "4", "--device", "cpu")

    assert code == 0
    assert "accuracies are accuracies on the subset" in output
    assert any(map(LINE.fullmatch, output.splitlines()))


def test_one_seed_gives_one_loss() -> None:
    short = ("--epochs", "1", "--limit", "8", "--batch-size", "4", "--device", "cpu", "--loader", "resident")
    lines = [call(*short, "--seed", seed)[1] for seed in ("1", "1", "2")]
    losses = [re.search(r"loss ([\d.]+)", text)[1] for text in lines]  # type: ignore[index]

    assert losses[0] == losses[1] != losses[2]


def test_seeds_tell_the_share_that_learns_and_what_is_never_predicted() -> None:
    short = ("--epochs", "1", "--limit", "8", "--batch-size", "4", "--device", "cpu", "--loader", "resident")
    code, output = call(*short, "--seeds", "2", "--seed", "3")
    last = output.splitlines()[-1]

    assert code == 0
    assert len(LINE.findall(output)) == 2
    assert "seed 3 never predicts " in output  # eight images show no ten classes
    assert re.fullmatch(
        r"[012] of 2 seeds learned \(test acc above 0\.2, twice chance\); 0 of 2 predict every class; "
        r"test acc from \d\.\d{3} to \d\.\d{3}, median \d\.\d{3}",
        last,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--device", "tpu"), "--device must be cpu, cuda, cuda:N, mps, xpu or xpu:N, got 'tpu'"),
        (("--device", "cuda:99"), "CUDA devices; use --device cpu"),
        (("--precision", "int8"), "precision must be one of default, fp32, tf32, bf16, fp16, got 'int8'"),
        (("--cudnn-benchmark", "on"), "--cudnn-benchmark on would do nothing on cpu: cuDNN runs on CUDA devices only"),
        (("--loader", "fast", "--limit", "4"), "loader must be one of"),
        (("--data", "/nowhere"), "/nowhere, is not a folder"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(options: tuple[str, ...], told: str) -> None:
    code, output = call("--device", "cpu", *options)

    assert code == 2
    assert told in output
    assert len(output.strip().splitlines()) == 1
