"""What `ab` says of two trees: flags, confirmation, doubts, exit codes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from bench.analyse.ab import changes
from bench.analyse.ab.cells import Change
from bench.analyse.ab.changes import exit_code, flagged, frame
from bench.analyse.ab.judged import PAGE_FAULTS, STEP_TIME
from bench.analyse.load import load
from bench.analyse.stats import as_ratio, shift_interval
from bench.analyse.verdicts import FASTER, FEWER_FAULTS, INVALID, MORE_FAULTS, NOISY, SAME, SLOWER, UNDECIDED
from bench.core.header import Flagged

BASE = "cpu-default-nchw-eager-b32"
NHWC = "cpu-default-nhwc-eager-b32"
MakeAb = Callable[..., Path]
Steps = Callable[..., dict[tuple[str, str], list[float]]]


PLANTED: list[tuple[str, ...]] = [
    (BASE, "step", "", "", SLOWER, "wall"),
    (BASE, "phase", "", "forward", SLOWER, "wall"),
    (BASE, "layer", "1.0", "forward", SLOWER, "wall"),
]
FAULTS = (BASE, "step", "", "", MORE_FAULTS, "page_faults")


def words(found: Sequence[Change]) -> dict[str, str]:
    return {change.name: change.verdict for change in found}


def of(make_ab: MakeAb, *arguments: Any, **more: Any) -> list[Change]:  # noqa: ANN401
    return changes.changes(load(make_ab(*arguments, **more)))


def test_the_gate_flags_step_phase_and_layer_of_a_planted_delay_and_no_other(make_ab: MakeAb, arms: Steps) -> None:
    data = load(make_ab(arms(9, 0.1), extra={"1.0": 0.1}))

    assert [msgspec.structs.astuple(cell) for cell in flagged(data)] == PLANTED


def test_fresh_rounds_confirm_it(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    found = of(make_ab, arms(9, 0.1), confirm=fresh(0.1), extra={"1.0": 0.1}, flagged=PLANTED)
    confirmed = [change for change in found if change.confirmed]

    assert [change.name for change in confirmed] == ["step", "forward", "1.0 forward"]
    assert {change.verdict for change in confirmed} == {SLOWER}
    assert {change.n for change in confirmed} == {20}
    step, _, layer = confirmed
    assert [step.base, step.head] == pytest.approx([1, 1.1], rel=0.02)
    assert step.ratio.hi < 1 / 1.03
    assert layer.base == pytest.approx(0.049, rel=0.02)
    assert layer.worth == pytest.approx(0.1, rel=0.05)
    assert all(change.p < 1e-4 for change in confirmed)
    assert exit_code(found, [], strict=False) == 1


def test_what_fresh_rounds_do_not_show_is_no_change(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    found = of(make_ab, arms(9, 0.1), confirm=fresh(0.0), flagged=[PLANTED[0]])
    step = found[0]

    assert (step.verdict, step.confirmed) == (UNDECIDED, False)
    assert step.p > 0.9
    assert step.reason == "looked SLOWER; 20 fresh rounds did not confirm it"
    assert exit_code(found, [], strict=False) == 0
    assert exit_code(found, [], strict=True) == 3


@pytest.mark.parametrize("rounds", [0, 19])
def test_without_all_fresh_rounds_nothing_is_confirmed(rounds: int, make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    found = of(make_ab, arms(9, 0.1), confirm=fresh(0.1, rounds) if rounds else None, flagged=PLANTED)

    assert (found[0].verdict, found[0].confirmed) == (UNDECIDED, None)
    assert found[0].reason == f"looks SLOWER; {rounds} of 20 fresh rounds measured it"
    assert SLOWER not in words(found).values()
    assert (exit_code(found, [], strict=False), exit_code(found, [], strict=True)) == (0, 3)


def test_a_gain_is_confirmed_the_same_way_and_is_no_regression(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    parts = [("step", "", ""), ("phase", "", "forward"), ("layer", "0.0", "forward")]
    declared = [(BASE, *part, FASTER) for part in parts]
    found = of(make_ab, arms(9, -0.1), confirm=fresh(-0.1), extra={"0.0": -0.1}, flagged=declared)

    assert (found[0].verdict, found[0].confirmed) == (FASTER, True)
    assert found[0].ratio.lo > 1.03
    assert exit_code(found, [], strict=True) == 0


def test_identical_trees_are_the_same(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(12))

    assert found[0].verdict == SAME
    assert not [change for change in found if change.flag]
    assert exit_code(found, [], strict=True) == 0


def test_the_declared_change_that_matters_decides_what_is_flagged(make_ab: MakeAb, arms: Steps) -> None:
    """The same trials, 10 % slower in one layer: beyond 5 %, and within 15 %."""
    folders = {
        delta: make_ab(arms(12, 0.1), extra={"1.0": 0.1}, delta=delta, name=f"d{delta}") for delta in (0.05, 0.15)
    }

    assert [cell.scope for cell in flagged(load(folders[0.05]))] == ["step", "phase", "layer"]
    assert [cell.scope for cell in flagged(load(folders[0.15]))] == ["phase", "layer"]  # by a third, and by three times
    assert changes.changes(load(folders[0.15]))[0].verdict == SAME


@pytest.mark.parametrize(("delta", "confirmed"), [(None, True), (0.05, True), (0.12, False)])
def test_fresh_rounds_confirm_only_what_is_beyond_it(
    delta: float | None, confirmed: bool, make_ab: MakeAb, arms: Steps, fresh: Steps
) -> None:
    """The first rounds say 20 % slower, the fresh ones 10 %."""
    step = of(make_ab, arms(9, 0.2), confirm=fresh(0.1), flagged=[PLANTED[0]], delta=delta)[0]

    assert (step.confirmed, step.verdict) == (confirmed, SLOWER if confirmed else UNDECIDED)
    assert (step.p < 1e-4) == confirmed


@pytest.mark.parametrize(("delta", "noisy"), [(None, True), (0.1, False)])
def test_identical_code_is_noise_by_the_same_change(
    delta: float | None, noisy: bool, make_ab: MakeAb, arms: Steps
) -> None:
    steps = arms(12)
    steps[BASE, "A'"] = [1.06 * seconds for seconds in steps[BASE, "A'"]]

    assert (of(make_ab, steps, delta=delta)[0].verdict == NOISY) == noisy


def test_page_faults_keep_their_own_change_that_matters() -> None:
    assert PAGE_FAULTS.log_delta(0.5) == pytest.approx(np.log(1.1))
    assert STEP_TIME.log_delta(0.5) == pytest.approx(np.log(1.5))


def test_a_part_whose_change_is_worth_little_is_not_judged(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(9, 0.004), extra={"1.0": 0.004})  # 8 % of the layer, 0.4 % of the step
    layer = next(change for change in found if change.name == "1.0 forward")

    assert (layer.verdict, layer.flag) == ("", "")
    assert layer.reason == "worth under 0.5 % of the step"


def test_identical_code_that_comes_out_different_takes_every_verdict(make_ab: MakeAb, arms: Steps) -> None:
    steps = arms(9, 0.3)
    steps[BASE, "A'"] = [1.2 * s for s in steps[BASE, "A'"]]
    found = of(make_ab, steps)

    assert found[0].verdict == NOISY
    assert not [change for change in found if change.flag or change.verdict in (SLOWER, FASTER, SAME)]
    assert (exit_code(found, [], strict=False), exit_code(found, [], strict=True)) == (0, 3)


def test_noise_among_the_fresh_rounds_takes_it_too(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    confirm = fresh(0.3)
    confirm[BASE, "A'"] = [1.2 * s for s in confirm[BASE, "A'"]]
    found = of(make_ab, arms(9, 0.1), confirm=confirm, flagged=[PLANTED[0]])

    assert (found[0].verdict, found[0].confirmed) == (NOISY, False)
    assert {change.verdict for change in found} == {NOISY, ""}
    assert exit_code(found, [], strict=True) == 3


def test_a_cell_that_fresh_rounds_missed_takes_nothing_from_the_others(
    make_ab: MakeAb, arms: Steps, fresh: Steps
) -> None:
    steps = arms(9, 0.1) | arms(9, 0.1, variant_id=NHWC, seed=2)
    confirm = fresh(0.1) | arms(20, 0.1, variant_id=NHWC, seed=3, pilot=False)
    declared = [(v, "step", "", "", SLOWER) for v in (BASE, NHWC)]
    found = of(make_ab, steps, confirm=confirm, flagged=declared, bad={(NHWC, "V", 15): "oom"})
    by_variant = {change.variant_id: change for change in found if change.scope == "step"}

    assert (by_variant[BASE].verdict, by_variant[NHWC].verdict) == (SLOWER, UNDECIDED)
    assert by_variant[NHWC].reason == "looks SLOWER; 19 of 20 fresh rounds measured it"


def test_a_part_must_be_worth_something_in_the_fresh_rounds_too(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    declared = [(BASE, "layer", "1.0", "forward", SLOWER)]
    steps = arms(9, 0.1)
    confirm = fresh(0.004)  # 8 % of the layer, 0.4 % of the step
    found = of(make_ab, steps, confirm=confirm, extra={"1.0": 0.1}, confirm_extra={"1.0": 0.004}, flagged=declared)
    layer = next(change for change in found if change.name == "1.0 forward")

    assert (layer.verdict, layer.confirmed) == (UNDECIDED, False)
    assert layer.p < 0.05


@pytest.mark.parametrize("rounds", [1, 3, 5])
def test_too_few_rounds_are_undecided(rounds: int, make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(rounds, 0.5))

    assert set(words(found).values()) <= {UNDECIDED, ""}
    assert (exit_code(found, [], strict=False), exit_code(found, [], strict=True)) == (0, 3)


def test_a_round_with_a_dead_trial_counts_for_nothing_and_spoils_no_other(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(13), bad={(BASE, "V", 4): "oom"})

    assert (found[0].verdict, found[0].n) == (SAME, 12)


def test_a_regression_is_confirmed_though_a_trial_died_in_either_stage(
    make_ab: MakeAb, arms: Steps, fresh: Steps
) -> None:
    bad = {(BASE, "V", 4): "oom", (BASE, "A'", 17): "timeout"}
    found = of(make_ab, arms(10, 0.1), confirm=fresh(0.1, 21), extra={"1.0": 0.1}, flagged=PLANTED, bad=bad)

    assert [(c.name, c.verdict, c.n) for c in found if c.confirmed] == [
        ("step", SLOWER, 20), ("forward", SLOWER, 20), ("1.0 forward", SLOWER, 20),
    ]  # fmt: skip
    assert exit_code(found, [], strict=False) == 1


def test_where_more_rounds_were_spoilt_than_may_be_the_others_are_not_believed(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(13), bad={(BASE, "V", number): "error" for number in range(1, 7)})

    assert (found[0].verdict, found[0].reason) == (UNDECIDED, "a trial died in 6 of 13 rounds")
    assert SAME not in words(found).values()


def test_an_arm_that_is_missing_makes_no_round_complete(make_ab: MakeAb, arms: Steps) -> None:
    steps = arms(9)
    steps[BASE, "V"] = steps[BASE, "V"][:4]  # the run was cut: three whole rounds
    found = of(make_ab, steps)

    assert (found[0].verdict, found[0].n) == (UNDECIDED, 3)


def test_a_head_that_fails_is_invalid_and_not_comparable(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(9, variant_id=NHWC), failed={(BASE, "head"): ("error", "no such layer")})

    told = "head died in 1 of 1 trials, the last with error: no such layer"
    assert [(c.verdict, c.reason) for c in found if c.variant_id == BASE] == [(INVALID, told)]
    assert exit_code(found, [], strict=False) == 4


def test_a_variant_that_cant_run_here_is_not_comparable(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(9), excluded={"cuda-default-nchw-eager-b128": "no CUDA device"})

    assert [(c.verdict, c.reason) for c in found[-1:]] == [(INVALID, "not run: no CUDA device")]
    assert exit_code(found, [], strict=False) == 4


def test_a_head_that_fails_in_every_round_is_not_comparable(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(9), bad={(BASE, "V", number): "timeout" for number in range(1, 10)})

    assert [(c.verdict, c.reason) for c in found] == [(INVALID, "head died in 9 of 10 trials, the last with timeout: ")]
    assert exit_code(found, [], strict=False) == 4


def test_nothing_measured_is_exit_code_4(make_ab: MakeAb, arms: Steps) -> None:
    assert exit_code([], [], strict=False) == 4
    assert exit_code(of(make_ab, arms(0), name="cut"), [], strict=False) == 4
    assert exit_code(of(make_ab, {}, failed={(BASE, "base"): ("oom", "no memory")}), [], strict=False) == 4


def test_a_layer_of_one_tree_alone_is_told_and_not_judged(make_ab: MakeAb, arms: Steps) -> None:
    found = of(make_ab, arms(9), without=[("A", "1.0"), ("A'", "1.0")])
    layer = next(change for change in found if change.name == "1.0 forward")

    assert (layer.verdict, layer.reason) == ("", "not in the base")


def test_every_cell_is_a_row_of_changes_csv(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    table = frame(of(make_ab, arms(9, 0.1), confirm=fresh(0.1), extra={"1.0": 0.1}, flagged=PLANTED))

    assert list(table.columns) == [
        "variant_id", "scope", "layer", "phase", "base_s", "head_s", "ratio", "ratio_lo", "ratio_hi", "verdict",
        "confirmed", "p", "worth", "n", "reason", "metric", "base_faults", "head_faults",
    ]  # fmt: skip
    assert list(table.scope) == ["step"] + ["phase"] * 7 + ["layer"] * 8
    assert list(table.phase[1:8]) == ["data", "h2d", "forward", "loss", "backward", "optimizer", "read"]
    assert list(table.layer[8::2]) == ["0.0", "0.1", "1.0", "between"]
    assert list(table.confirmed).count("True") == 3


def few(head: float) -> dict[str, float]:
    return {"A": 2, "A'": 2, "V": head}


def test_a_head_with_2000_page_faults_more_is_a_regression_though_its_times_are_the_same(
    make_ab: MakeAb, arms: Steps, fresh: Steps
) -> None:
    folder = make_ab(arms(12), confirm=fresh(), flagged=[FAULTS], faults=few(2002), confirm_faults=few(2002))
    found = changes.changes(load(folder))
    step, faults = found[:2]

    assert [msgspec.structs.astuple(cell) for cell in flagged(load(folder))] == [FAULTS]
    assert step.verdict == SAME
    assert (faults.name, faults.verdict, faults.confirmed, faults.n) == ("page faults", MORE_FAULTS, True, 20)
    assert (faults.base, faults.head) == (3, 2003)
    assert faults.p < 1e-6
    assert exit_code(found, [], strict=False) == 1


def test_fewer_page_faults_are_no_regression(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    before, declared = {"A": 5000.0, "A'": 5000.0, "V": 10.0}, [(*FAULTS[:4], FEWER_FAULTS, "page_faults")]
    found = of(make_ab, arms(12), confirm=fresh(), flagged=declared, faults=before, confirm_faults=before)

    assert (found[1].verdict, found[1].confirmed) == (FEWER_FAULTS, True)
    assert exit_code(found, [], strict=True) == 0


@pytest.mark.parametrize(
    ("base", "head", "word"),
    [
        (0, 0, SAME),
        (0, 450, SAME),
        (0, 550, MORE_FAULTS),
        (550, 0, FEWER_FAULTS),
        (100_000, 110_000, SAME),  # a tenth, and 500 are missing
        (100_000, 111_000, MORE_FAULTS),
    ],
)
def test_the_page_faults_that_matter_are_500_and_a_tenth_of_the_bases(
    base: float, head: float, word: str, make_ab: MakeAb, arms: Steps
) -> None:
    faults = changes.gate(load(make_ab(arms(12), faults={"A": base, "A'": base, "V": head})))[1]

    assert (faults.flag or faults.verdict) == word


def test_page_faults_that_fresh_rounds_do_not_show_are_no_change(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    found = of(make_ab, arms(12), confirm=fresh(), flagged=[FAULTS], faults=few(2002), confirm_faults=few(2))

    assert (found[1].verdict, found[1].confirmed) == (UNDECIDED, False)
    assert exit_code(found, [], strict=True) == 0


def test_single_trials_whose_memory_still_grows_are_no_change() -> None:
    """In results/example-in-sequence one of 36 trials with kept memory has 8,748 faults a step, the others none."""
    rng = np.random.default_rng(0)
    words_of_draws = set()
    for _ in range(200):
        values = np.where(rng.random((12, 3)) < 1 / 36, 8748.0, 0.0)
        logs = PAGE_FAULTS.logs(pd.DataFrame(values, columns=["A", "A'", "V"]))
        ratio = as_ratio(shift_interval(logs["V"], logs[["A", "A'"]]))
        words_of_draws.add(PAGE_FAULTS.word(ratio, 12, 0.03))

    assert words_of_draws <= {SAME, UNDECIDED}


def test_times_that_are_too_noisy_take_nothing_from_page_faults(make_ab: MakeAb, arms: Steps, fresh: Steps) -> None:
    steps, confirm = arms(12), fresh()
    for values in (steps, confirm):
        values[BASE, "A'"] = [1.2 * s for s in values[BASE, "A'"]]
    found = of(make_ab, steps, confirm=confirm, flagged=[FAULTS], faults=few(2002), confirm_faults=few(2002))

    assert [change.verdict for change in found[:2]] == [NOISY, MORE_FAULTS]
    assert exit_code(found, [], strict=False) == 1


def test_page_faults_have_columns_of_their_own_and_no_seconds(make_ab: MakeAb, arms: Steps) -> None:
    table = frame(of(make_ab, arms(12), faults=few(2)))
    by_metric = table.groupby("metric")

    assert table.metric.value_counts()["page_faults"] == 1
    assert list(by_metric[["base_s", "head_s", "worth"]].count().loc["page_faults"]) == [0, 0, 0]
    assert list(by_metric[["base_faults", "head_faults"]].count().loc["wall"]) == [0, 0]
    assert list(table.loc[table.metric == "page_faults", "base_faults"]) == [3]


def test_flags_of_an_older_run_are_of_times() -> None:
    cell = {"variant_id": BASE, "scope": "step", "layer": "", "phase": "", "flag": SLOWER}

    assert msgspec.convert(cell, Flagged).metric == "wall"
