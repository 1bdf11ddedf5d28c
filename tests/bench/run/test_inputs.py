"""What the trials of a run are fed."""

from pathlib import Path

import pytest

from bench.core.header import Inputs
from bench.core.variants import UsageError
from bench.plan.choices import Choices
from bench.run.prepare.inputs import find_inputs


def test_the_subset_needs_no_path_in_the_record(no_other_data: Path) -> None:  # noqa: ARG001
    inputs, told = find_inputs(Choices())

    assert inputs == Inputs(folder=None, shape=None, classes=10)
    assert told.is_subset
    assert told.train_images == 2000


def test_random_images_replace_the_data() -> None:
    inputs, told = find_inputs(Choices(shape="3x32x32", classes=7))

    assert inputs == Inputs(folder=None, shape=(3, 32, 32), classes=7)
    assert told.name == "seeded random images of 3x32x32"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(classes=7), "--classes goes with --input"),
        (Choices(data="/nowhere"), "/nowhere, is not a folder"),
    ],
)
def test_data_that_is_not_there_is_an_error(choices: Choices, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        find_inputs(choices)
