"""The acceptance trains as `python -m nin` does."""

import re

import pytest
import torch
from typer.testing import CliRunner

from bench.gpu.steps import training
from nin.__main__ import app


@pytest.mark.slow
def test_an_epoch_comes_to_what_the_command_prints() -> None:
    words = "--seed 101 --epochs 2 --limit 32 --loader resident --sync epoch --device cpu"
    printed = re.findall(r"test acc ([\d.]+)", CliRunner().invoke(app, words.split()).output)

    found = [f"{epoch.accuracy:.3f}" for epoch in training.epochs(torch.device("cpu"), 2, 32)]

    assert found == printed
    assert len(found) == 2
