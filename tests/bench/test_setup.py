"""What the options of a run come to."""

from pathlib import Path

import pytest

from bench import setup
from bench.setup import Choices


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("none", None)])
def test_budgets(text: str, seconds: float | None) -> None:
    assert setup.parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "-5m", "20 minutes"])
def test_a_wrong_budget_is_an_error_that_says_how(text: str) -> None:
    with pytest.raises(UsageError, match="--budget reads 90s, 20m, 2h or none"):
        setup.parse_budget(text)


def test_shapes() -> None:
    assert setup.parse_shape("3x32x64") == (3, 32, 64)
    for text in ("32x32", "3x0x32", "3 x 32 x 32", "axbxc"):
        with pytest.raises(UsageError, match="--input reads CxHxW"):
            setup.parse_shape(text)


def test_a_run_is_named_as_chosen_or_by_time_and_preset() -> None:
    assert setup.name_run(Choices(run_id="my-run.1")) == "my-run.1"
    assert setup.name_run(Choices(preset="look")).endswith("-look")
    for text in ("", "../up", ".hidden", "a b"):
        with pytest.raises(UsageError, match="--run-id must be"):
            setup.name_run(Choices(run_id=text))


def test_a_run_is_found_by_its_path_or_its_name(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()

    assert setup.folder_of(Path("elsewhere"), str(tmp_path / "r")) == tmp_path / "r"
    assert setup.folder_of(tmp_path, "r") == tmp_path / "r"


def test_the_subset_needs_no_path_in_the_record(no_other_data: Path) -> None:  # noqa: ARG001
    inputs, told = setup.find_inputs(Choices())

    assert inputs == {"folder": None, "shape": None, "classes": 10}
    assert told["is_subset"]
    assert told["train_images"] == 2000


def test_random_images_replace_the_data() -> None:
    inputs, told = setup.find_inputs(Choices(shape="3x32x32", classes=7))

    assert inputs == {"folder": None, "shape": (3, 32, 32), "classes": 7}
    assert told["name"] == "seeded random images of 3x32x32"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(classes=7), "--classes goes with --input"),
        (Choices(data="/nowhere"), "/nowhere, is not a folder"),
    ],
)
def test_data_that_is_not_there_is_an_error(choices: Choices, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        setup.find_inputs(choices)
