"""What a million items cost, from made-up runs whose steps take known times."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.analyse.load import load
from bench.analyse.sides import compare, costs
from bench.analyse.tables import roofline
from bench.core.variants import UsageError

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"
MakeRun = Callable[..., Path]


def swinging(step_s: float) -> list[float]:
    """A pilot and nine rounds around a step."""
    return [step_s, *(step_s * (1 + 0.01 * (i % 3 - 1)) for i in range(9))]


@pytest.fixture
def runs(make_run: MakeRun) -> list[compare.Side]:
    """A slow machine, and one that is four times as fast; the fast one has a variant that only its pilot measured."""
    slow = make_run({(BASE, "A"): swinging(0.32), (KEPT, "V"): swinging(0.16)}, name="slow")
    fast = make_run({(BASE, "A"): swinging(0.08), (BF16, "V"): [0.01]}, name="fast")
    return compare.sides([load(slow), load(fast)])


def table(runs: list[compare.Side], *prices: str) -> pd.DataFrame:
    return costs.table(runs, compare.matches(runs), costs.priced(runs, prices)).set_index(["run", "variant_id"])


def test_a_cost_is_the_hours_of_a_million_images_times_the_price(runs: list[compare.Side]) -> None:
    """A million images at batch 32 and 0.32 s a step are 10,000 s; an epoch of 60,000 is 600 s."""
    row = table(runs, "slow=3.6", "fast=36").loc["slow", BASE]

    assert row.million_h == pytest.approx(10_000 / 3600)
    assert row.million_cost == pytest.approx(10.0)
    assert row.epoch_cost == pytest.approx(0.6)
    assert 9.8 < row.million_cost_lo < 10.0 < row.million_cost_hi < 10.2


def test_at_the_roofs_a_cost_falls_to_the_share_of_the_roof(
    runs: list[compare.Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert math.isnan(table(runs, "slow=3.6").loc["slow", BASE].million_cost_at_roof)
    monkeypatch.setattr(roofline, "step_share", lambda _data, _variant_id: 0.25)
    assert table(runs, "slow=3.6").loc["slow", BASE].million_cost_at_roof == pytest.approx(2.5)


def test_a_choice_is_beaten_by_nothing_in_both_hours_and_cost(runs: list[compare.Side]) -> None:
    """The fast machine costs ten times as much an hour: kept on the slow one is cheaper, the fast one is faster."""
    rows = table(runs, "slow=3.6", "fast=36")

    assert rows.choice.to_dict() == {("slow", KEPT): True, ("slow", BASE): False, ("fast", BASE): True}
    assert list(rows.million_cost.round(6)) == [5.0, 10.0, 25.0]


def test_at_the_same_price_the_faster_machine_beats_all(runs: list[compare.Side]) -> None:
    rows = table(runs, "slow=2", "fast=2")

    assert rows.choice[rows.choice].index.tolist() == [("fast", BASE)]


def test_only_runs_with_a_price_and_variants_with_rounds_have_a_row(runs: list[compare.Side]) -> None:
    assert table(runs, "fast=1").index.tolist() == [("fast", BASE)]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["2.5"], "give RUN=PRICE with one of slow, fast"),
        (["other=2"], "give RUN=PRICE with one of slow, fast"),
        (["slow=1", "slow=2"], "names slow twice"),
        (["slow=cheap"], "a number above 0"),
        (["slow=0"], "a number above 0"),
        (["slow=-1"], "a number above 0"),
        (["slow=nan"], "a number above 0"),
        (["slow=inf"], "a number above 0"),
    ],
)
def test_what_is_no_price_is_refused(runs: list[compare.Side], texts: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        costs.priced(runs, texts)
