"""Tables against numbers worked out by hand."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.analyse import tables
from bench.analyse.load import load
from bench.report import pages

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
COMPILED = "cpu-default-nhwc-inductor-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"
MakeRun = Callable[..., Path]

ROUNDS = 9
RNG = np.random.default_rng(0)


def noisy(step_s: float) -> list[float]:
    """A pilot and nine rounds around a step, 1 % apart."""
    return [step_s, *(step_s * np.exp(RNG.normal(0, 0.01, ROUNDS)))]


@pytest.fixture
def steps(make_run: MakeRun) -> pd.DataFrame:
    folder = make_run(
        {(BASE, "A"): noisy(1.6), (BASE, "A'"): noisy(1.6), (KEPT, "V"): noisy(1.0), (COMPILED, "V"): noisy(1.61),
         (BF16, "V"): [16.0]},
        metrics={BASE: {"page_faults": 1e5, "cpu_system": 0.5}},
    )  # fmt: skip
    return tables.steps(load(folder)).set_index("variant_id")


def test_throughput_is_the_batch_over_the_step(steps: pd.DataFrame) -> None:
    row = steps.loc[KEPT]

    assert row.items_per_s == pytest.approx(32 / row.step_s)
    assert row.step_s_lo < 1.0 < row.step_s_hi
    assert row.epoch_s == pytest.approx(60_000 / 32 * row.step_s)
    assert row.epoch_kind == "projected"
    assert row.n == ROUNDS


def test_ratio_and_verdict_are_against_the_baseline(steps: pd.DataFrame) -> None:
    assert steps.ratio[KEPT] == pytest.approx(1.6, rel=0.02)
    assert steps.ratio_lo[KEPT] < steps.ratio[KEPT] < steps.ratio_hi[KEPT]
    assert steps.verdict[KEPT] == "FASTER"
    assert steps.verdict[COMPILED] == "SAME"
    assert steps.verdict[BASE] == ""


def test_what_was_measured_in_the_pilot_alone_has_no_bounds_and_no_verdict(steps: pd.DataFrame) -> None:
    row = steps.loc[BF16]

    assert (row.items_per_s, row.n, row.verdict) == (2.0, 0, "")
    assert math.isnan(row.step_s_lo)
    assert math.isnan(row.ratio)


def test_what_was_not_measured_is_blank_and_never_0(steps: pd.DataFrame) -> None:
    assert steps.page_faults[BASE] == 1e5
    for name in ("page_faults", "device_s", "dispatch_s"):
        assert math.isnan(steps[name][KEPT])
    assert math.isnan(steps.compile_cold_s[KEPT])


def test_compiling_is_what_a_first_step_takes_more(steps: pd.DataFrame) -> None:
    # The made-up first step is three steps in the pilot and one and a half later.
    assert steps.compile_cold_s[COMPILED] == pytest.approx(2 * 1.61, rel=0.02)
    assert steps.compile_warm_s[COMPILED] == pytest.approx(0.5 * 1.61, rel=0.05)


def test_overhead_is_the_stamped_step_over_the_plain_one(steps: pd.DataFrame) -> None:
    assert steps.instrument_overhead[KEPT] == pytest.approx(0.01)


def test_when_identical_code_differs_no_verdict_is_given(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): noisy(1.6), (BASE, "A'"): noisy(2.0), (KEPT, "V"): noisy(1.0)})
    data = load(folder)

    assert [c.noisy for c in tables.controls(data)] == [True]
    assert tables.steps(data).set_index("variant_id").verdict[KEPT] == "UNDECIDED (noisy)"


def test_three_rounds_decide_nothing(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [1.6] * 4, (BASE, "A'"): [1.6] * 4, (KEPT, "V"): [1.0] * 4})

    assert tables.steps(load(folder)).set_index("variant_id").verdict[KEPT] == "UNDECIDED"


def test_a_look_gives_no_verdicts(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): noisy(1.6), (KEPT, "V"): noisy(1.0)}, verdicts=False)

    assert set(tables.steps(load(folder)).verdict) == {""}


def test_an_invalid_variant_has_no_speed(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): noisy(1.6)}, failed={KEPT: ("invalid", "kept took no effect")})
    data = load(folder)
    row = tables.steps(data).set_index("variant_id").loc[KEPT]

    assert row.verdict == "INVALID"
    assert math.isnan(row.items_per_s)
    assert tables.outcome(data, KEPT) == ("invalid", "kept took no effect")
    assert tables.failures(data).iloc[0].trials == "1 of 1"


def test_a_variant_that_was_invalid_once_has_no_numbers(make_run: MakeRun) -> None:
    steps_s = {(BASE, "A"): noisy(1.6), (BASE, "A'"): noisy(1.6), (KEPT, "V"): noisy(1.0)}
    data = load(make_run(steps_s, bad={(KEPT, "V", 4): "invalid"}))
    row = tables.steps(data).set_index("variant_id").loc[KEPT]

    assert row.verdict == "INVALID"
    assert math.isnan(row.step_s)
    assert row.n == 0


@pytest.mark.parametrize("spoilt", [(KEPT, "V", 4), (BASE, "A", 4)])
def test_a_round_that_failed_leaves_the_verdict_undecided(spoilt: tuple[str, str, int], make_run: MakeRun) -> None:
    steps_s = {(BASE, "A"): noisy(1.6), (BASE, "A'"): noisy(1.6), (KEPT, "V"): noisy(1.0)}
    row = tables.steps(load(make_run(steps_s, bad={spoilt: "timeout"}))).set_index("variant_id").loc[KEPT]

    assert row.verdict == "UNDECIDED"
    assert row.ratio == pytest.approx(1.6, rel=0.02)


def test_a_ratio_turns_around_when_the_two_change_places(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): noisy(1.0), (BASE, "A'"): noisy(1.0), (KEPT, "V"): noisy(1.5)}))
    (ahead, n), (behind, _) = tables.ratio_to(data, BASE, KEPT), tables.ratio_to(data, KEPT, BASE)

    assert n == ROUNDS
    assert (ahead.estimate, ahead.lo, ahead.hi) == pytest.approx((1 / behind.estimate, 1 / behind.hi, 1 / behind.lo))
    assert ahead.estimate == pytest.approx(1.5, rel=0.02)


def test_a_ratio_is_of_seconds_per_image(make_run: MakeRun) -> None:
    other = "cpu-default-nchw-eager-b64"
    data = load(make_run({(BASE, "A"): noisy(1.0), (other, "A"): noisy(1.0)}))

    assert tables.ratio_to(data, other, BASE)[0].estimate == pytest.approx(2, rel=0.02)


def test_a_step_of_several_ranks_works_through_a_batch_each(make_run: MakeRun) -> None:
    two = f"{BASE}-w2"
    items = {BASE: {"count": 32, "unit": "images"}, two: {"count": 64, "unit": "images"}}
    data = load(make_run({(BASE, "A"): noisy(1.0), (two, "V"): noisy(1.25)}, items=items))

    assert [tables.items_of(data, variant_id) for variant_id in (BASE, two)] == [32, 64]
    assert tables.ratio_to(data, two, BASE)[0].estimate == pytest.approx(1.6, rel=0.02)


def test_layers_come_in_the_models_order_with_their_share(make_run: MakeRun) -> None:
    layers = [("0.0", "Conv2d", 0.2, 0.5), ("0.1", "ReLU", 0.1, 0.17)]
    table = tables.layers(load(make_run({(BASE, "A"): [2.0] * 8}, layers=layers)))

    assert list(table.layer) == ["0.0", "0.1", "between"]
    assert list(table.type) == ["Conv2d", "ReLU", ""]
    assert list(table.forward_s) == pytest.approx([0.4, 0.2, 0.0])
    assert list(table.backward_s) == pytest.approx([1.0, 0.34, 0.0])
    assert table.share_of_step[0] == pytest.approx(0.7 / 1.01)


ODD = [("0", "Conv2d", 0.2, 0.5), ("1", "ReLU", 0.1, 0.17), ("2", "Linear", 0.0, 0.0)]


@pytest.fixture
def odd(make_run: MakeRun) -> Path:
    """A run with a layer that has two paths and two calls, and one that is never called."""
    folder = make_run({(BASE, "A"): [2.0] * 8}, layers=ODD)
    facts = (folder / "layers.csv").read_text().splitlines()
    told = [facts[0], facts[1], facts[2].removesuffix("1,") + '2,"1, twin.1"', facts[3].removesuffix("1,") + "0,"]
    (folder / "layers.csv").write_text("\n".join(told) + "\n")
    samples = (folder / "samples.csv").read_text().splitlines(keepends=True)
    (folder / "samples.csv").write_text("".join(line for line in samples if ",layer,2," not in line))
    return folder


def test_a_layer_that_is_never_called_has_a_row_without_times(odd: Path) -> None:
    table = tables.layers(load(odd)).set_index("layer")

    assert [1, 2, 0] == list(table.calls.iloc[:3])
    assert table.calls.isna().loc["between"]
    assert list(table.paths) == ["", "1, twin.1", "", ""]
    assert table.loc["2", ["forward_s", "backward_s", "share_of_step"]].isna().all()


def test_calls_and_paths_are_shown_where_they_say_something(odd: Path, make_run: MakeRun, tmp_path: Path) -> None:
    page = pages.write(load(odd), tmp_path / "odd").path
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.read_text().splitlines()]
    by_layer = {row[0]: row for row in rows if len(row) == 11}

    assert ["calls", "paths"] == by_layer["layer"][-2:]
    assert [["1", ""], ["2", "1, twin.1"], ["0", ""]] == [by_layer[layer][-2:] for layer in "012"]
    assert ["", "", ""] == by_layer["2"][4:7]
    plain = load(make_run({(BASE, "A"): [2.0] * 8}, layers=ODD[:2], name="plain"))
    assert " calls |" not in pages.write(plain, tmp_path / "plain").path.read_text()


def test_memory_is_blank_where_it_was_not_measured(make_run: MakeRun) -> None:
    table = tables.memory(load(make_run({(BASE, "A"): [1.0]}, memory={BASE: {"parameter": 8.0, "saved": 9.0}})))

    assert table.loc[0, "parameter_bytes"] == 8.0
    assert table.loc[0, "saved_bytes"] == 9.0
    assert math.isnan(table.loc[0, "reserved_bytes"])


def test_stamps_cost_their_number_times_a_stamp(make_run: MakeRun) -> None:
    table = tables.stamps(load(make_run({(BASE, "A"): [1.5] * 3}, layers=[("0", "Conv2d", 0.5, 0.5)])))

    assert table.loc[0, "share"] == pytest.approx(30 * 1e-5 / 1.5)
