"""What the texts of options mean."""

from pathlib import Path

import pytest

from bench.core.variants import UsageError
from bench.plan import choices
from bench.plan.choices import Choices


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), ("none", None)])
def test_budgets(text: str, seconds: float | None) -> None:
    assert choices.parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "-5m", "20 minutes"])
def test_a_wrong_budget_is_an_error_that_says_how(text: str) -> None:
    with pytest.raises(UsageError, match="--budget reads 90s, 20m, 2h or none"):
        choices.parse_budget(text)


@pytest.mark.parametrize(("preset", "seconds"), [("look", 1200), ("quick", 1200), ("full", None)])
def test_a_preset_has_a_budget_of_its_own_and_a_call_may_give_another(preset: str, seconds: float | None) -> None:
    assert Choices(preset=preset).budget_s == seconds
    assert Choices(preset=preset, budget="90s").budget_s == 90


def test_a_preset_has_rounds_of_its_own() -> None:
    assert [3, 32, 9] == [Choices(preset=preset).wanted_rounds for preset in ("look", "quick", "full")]
    assert 32 == Choices(preset="look", variants=("cpu",)).wanted_rounds
    assert [None, (8, 10, 12, 16, 20, 24, 28, 32)] == [
        looks and looks.rounds for looks in (Choices(rounds=12).looks, Choices().looks)
    ]
    assert Choices(kind="ab").looks is None
    assert 20 == Choices(preset="full", rounds=20).wanted_rounds


@pytest.mark.parametrize(("text", "size"), [("512MiB", 2**29), ("1.5GiB", 3 * 2**29), ("1KiB", 1024)])
def test_sizes(text: str, size: int) -> None:
    assert choices.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "4GB", "0GiB", "-1MiB"])
def test_a_wrong_size_is_an_error_that_says_how(text: str) -> None:
    with pytest.raises(UsageError, match="--memory-limit reads 512MiB or 4GiB"):
        choices.parse_size(text)


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), (".05", 0.05), ("0.5%", 0.005), ("99.9%", 0.999)]
)
def test_changes_that_matter(text: str, share: float) -> None:
    assert choices.parse_delta(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "-5%", "5 per cent", "nan", "inf", "1e-2", "5%%", "0,05", "5%\n"])
def test_a_wrong_change_is_an_error_that_says_how(text: str) -> None:
    with pytest.raises(UsageError, match=r"--delta reads a share such as 5% or 0\.05, got"):
        choices.parse_delta(text)


@pytest.mark.parametrize("text", ["0", "0%", "0.0", "100%", "1", "5", "250%", f"0.{'0' * 400}1"])
def test_a_change_of_nothing_or_of_all_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--delta must be more than 0 and less than 100 %, got"):
        choices.parse_delta(text)


def test_who_writes_5_is_told_how_5_per_cent_is_written() -> None:
    with pytest.raises(UsageError, match="got '5': write 5%"):
        choices.parse_delta("5")


def test_a_look_gives_no_verdicts_so_it_takes_no_change_that_matters() -> None:
    assert Choices(delta="5%").wanted_delta == 0.05
    assert Choices(delta="5%", preset="look", variants=("cpu",)).wanted_delta == 0.05
    assert Choices(delta="5%", preset="look", configured=("--delta", "5%")).wanted_delta is None
    with pytest.raises(UsageError, match="--delta can't go with --preset look"):
        _ = Choices(delta="5%", preset="look").wanted_delta


def test_shapes() -> None:
    assert choices.parse_shape("3x32x64") == (3, 32, 64)
    for text in ("32x32", "3x0x32", "3 x 32 x 32", "axbxc"):
        with pytest.raises(UsageError, match="--input reads CxHxW"):
            choices.parse_shape(text)


def test_a_run_is_named_as_chosen_or_by_time_and_preset() -> None:
    assert choices.name_run(Choices(run_id="my-run.1")) == "my-run.1"
    assert choices.name_run(Choices(preset="look")).endswith("-look")
    for text in ("", "../up", ".hidden", "a b"):
        with pytest.raises(UsageError, match="--run-id must be"):
            choices.name_run(Choices(run_id=text))


def test_a_run_is_found_by_its_path_or_its_name(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()

    assert choices.folder_of(Path("results"), str(tmp_path / "r")) == tmp_path / "r"
    with pytest.raises(UsageError, match="r is a path: take back --out elsewhere"):
        choices.folder_of(Path("elsewhere"), str(tmp_path / "r"))
    assert choices.folder_of(tmp_path, "r") == tmp_path / "r"


def test_the_order_of_trials_is_drawn_anew_unless_a_seed_is_given() -> None:
    drawn = {Choices().draw_order_seed() for _ in range(20)}

    assert len(drawn) > 18
    assert Choices().weights_seed == 0
    assert (Choices(seed=7).weights_seed, Choices(seed=7).draw_order_seed()) == (7, 7)
    assert (Choices(order_seed=9).weights_seed, Choices(order_seed=9).draw_order_seed()) == (0, 9)
    assert (Choices(seed=7, order_seed=9).weights_seed, Choices(seed=7, order_seed=9).draw_order_seed()) == (7, 9)
