"""What the page says before its answer is used: coarser results, and mixes of settings that were not measured."""

import dataclasses

import msgspec

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.report.answer import answer, caveats
from bench.report.document import Code, Fold
from tests.bench.report.made_up import BASE, BEST, BF16, GATE, KEPT, MakeRun, around, full


def with_bf16(make_run: MakeRun, live_logits: int) -> RunData:
    """A run whose fastest variant is in bf16, with that many live logits of the baseline's five."""
    coarse = GATE | {"score_error": 8e-3, "score_bound": 0.2, "live_logits": live_logits}
    steps = {(BASE, "A"): around(1.0, 0), (BASE, "A'"): around(1.0, 3), (BF16, "V"): around(0.5, 1)}
    return load(make_run(steps, once={BASE: GATE, BF16: coarse}))


def test_an_answer_in_bf16_says_how_much_less_exact_it_is(make_run: MakeRun) -> None:
    data = with_bf16(make_run, 3)
    words = " ".join(answer.sentences(data, tables.steps(data), BF16))

    assert "its results are off by 8.0e-03 of their size, the baseline's by 4.0e-07" in words
    assert "7 of its 10 classes have the same score for every image, in the baseline 5." in words


def test_as_many_live_classes_as_in_the_baseline_are_no_caveat(make_run: MakeRun) -> None:
    assert caveats.dead_words(with_bf16(make_run, 5), BF16) == []


def test_an_answer_that_computes_as_the_baseline_has_no_caveat(full_run: RunData) -> None:
    assert caveats.precision_words(full_run, BEST) == []
    assert caveats.precision_words(full_run, BASE) == []


def test_the_mixes_one_setting_away_from_the_fastest_that_no_trial_measured(make_run: MakeRun) -> None:
    """Huge pages failed by themselves, so no mix with them is named."""
    data = load(full(make_run))

    assert [variant.id for variant in caveats.neighbours(data, BEST)] == [
        "cpu-bf16-nhwc-eager-b32-kept",
        "cpu-default-nhwc-eager-b32-t1-kept",
        "cpu-default-nhwc-eager-b32",
    ]
    (fold,) = caveats.unmeasured(data, BEST)
    assert isinstance(fold, Fold)
    assert fold.summary == "Not measured: 3 mixes that differ from the fastest in one setting"
    command = fold.blocks[-1]
    assert isinstance(command, Code)
    assert command.lines[0].count("--variant") == 4
    assert f"--variant {BEST} " in command.lines[0]


def test_the_command_for_mixes_trains_what_the_run_trained(make_run: MakeRun) -> None:
    steps = {(BASE, "A"): around(1.0, 0), (BASE, "A'"): around(1.0, 3), (KEPT, "V"): around(0.5, 1)}
    data = load(make_run(steps | {(BF16, "V"): around(0.7, 1)}))
    command = "nin-bench run --preset quick --task mine:make --axis allocator=default,kept --finalists 2"
    data = dataclasses.replace(data, run=msgspec.structs.replace(data.run, command=command, by_nox=False))
    (fold,) = caveats.unmeasured(data, KEPT)
    assert isinstance(fold, Fold)
    code = fold.blocks[-1]
    assert isinstance(code, Code)

    assert code.lines[0].startswith("nin-bench run --task mine:make ")
    assert not any(f"--{name} " in code.lines[0] for name in ("preset", "axis", "finalists"))
    assert f"--variant {KEPT} --variant cpu-bf16-nchw-eager-b32-kept" in code.lines[0]


def test_a_coarser_answer_that_the_gate_did_not_check_is_not_said_to_have_passed(make_run: MakeRun) -> None:
    coarse = GATE | {"score_error": 8e-3, "not_gated": 1.0}
    steps = {(BASE, "A"): around(1.0, 0), (BASE, "A'"): around(1.0, 3), (BF16, "V"): around(0.5, 1)}
    data = load(make_run(steps, once={BASE: GATE, BF16: coarse}))
    gated = caveats.not_gated_words(data, BF16)

    assert bool(gated) != bool(caveats.coarser_words(data, BF16))


def test_a_run_of_one_change_has_no_mix_to_name(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): around(1.0, 0), (BASE, "A'"): around(1.0, 3), (KEPT, "V"): around(0.5, 1)}))

    assert caveats.unmeasured(data, KEPT) == []
