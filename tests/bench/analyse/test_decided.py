"""Whether the rounds of a run may end: by the verdicts of made-up runs, at the level of their plan."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.analyse import tables
from bench.analyse.decided import decided, standing
from bench.analyse.load import load
from bench.analyse.stats import exact_interval
from bench.analyse.verdicts import FASTER, INVALID, NOISY, SAME, UNDECIDED

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
NHWC = "cpu-default-nhwc-eager-b32"
GPU = "cuda-default-nchw-eager-b128"
GPU_NHWC = "cuda-default-nhwc-eager-b128"
LOOKS = {"rounds": [8, 10, 12], "error": 0.006}
Steps = dict[tuple[str, str], list[float]]
MakeRun = Callable[..., Path]


def steps(rounds: int, sd: float = 0.005, **seconds: float) -> Steps:
    """A pilot and rounds of the CPU's baseline, which takes 1 s a step, and of the variants `kept` and `nhwc`."""
    return drawn(rounds, sd, {BASE: 1.0} | {{"kept": KEPT, "nhwc": NHWC}[name]: s for name, s in seconds.items()})


def drawn(rounds: int, sd: float, seconds: dict[str, float]) -> Steps:
    """Seconds a step that vary by `sd`, by (variant id, arm)."""
    rng = np.random.default_rng(1)
    arms = [(v, arm) for v in seconds for arm in (("A", "A'") if v in (BASE, GPU) else ("V",))]
    return {(v, arm): list(seconds[v] * np.exp(rng.normal(0, sd, rounds + 1))) for v, arm in arms}


def words(folder: Path) -> dict[str, str]:
    """The verdicts of a run, by variant."""
    return dict(tables.steps(load(folder)).set_index("variant_id").verdict)


@pytest.mark.parametrize("kept_s", [0.5, 1.0, 1.5])
def test_rounds_end_if_every_verdict_is_decided(kept_s: float, make_run: MakeRun) -> None:
    folder = make_run(steps(8, kept=kept_s, nhwc=0.8), looks=LOOKS)

    assert not {UNDECIDED, NOISY} & set(words(folder).values())
    assert decided(folder)


def test_they_go_on_if_one_verdict_is_open(make_run: MakeRun) -> None:
    """Of a loss of 3 %, which is delta itself, no number of rounds makes a verdict."""
    folder = make_run(steps(8, kept=0.8, nhwc=1.03), looks=LOOKS)

    assert words(folder) == {BASE: "", KEPT: FASTER, NHWC: UNDECIDED}
    assert not decided(folder)
    assert (standing(load(folder)).judged, standing(load(folder)).undecided) == (2, 1)


def test_the_run_gets_its_intervals_from_the_level_of_its_plan(make_run: MakeRun) -> None:
    seconds = steps(10, 0.02, kept=0.9)
    folder = make_run(seconds, looks=LOOKS)
    logs = {key: np.log(values[1:]) for key, values in seconds.items()}
    expected = exact_interval(logs[KEPT, "V"], np.column_stack((logs[BASE, "A"], logs[BASE, "A'"])), 0.006)
    [kept] = standing(load(folder)).leaders

    assert kept.ratio.lo == pytest.approx(math.exp(-expected.hi), rel=1e-6)
    assert kept.ratio.hi == pytest.approx(math.exp(-expected.lo), rel=1e-6)


@pytest.mark.parametrize(("rounds", "word"), [(7, UNDECIDED), (8, FASTER)])
def test_under_eight_rounds_there_is_no_verdict(rounds: int, word: str, make_run: MakeRun) -> None:
    folder = make_run(steps(rounds, kept=0.5), looks=LOOKS)

    assert words(folder)[KEPT] == word
    assert decided(folder) == (word == FASTER)


def test_they_go_on_if_the_fastest_has_a_wide_ratio(make_run: MakeRun) -> None:
    """Of trials that vary by 5 %, eight rounds show that a gain of 25 % is FASTER, but not to a quarter of it."""
    folder = make_run(steps(8, 0.05, kept=0.8, nhwc=2.0), looks=LOOKS)
    now = standing(load(folder))

    assert now.undecided == 0
    assert [(v.variant_id, v.is_sharp) for v in now.leaders] == [(KEPT, False)]
    assert not decided(folder)


def test_a_large_gain_need_not_be_known_as_sharply(make_run: MakeRun) -> None:
    """The same trials: twice as fast is known to within a quarter of that gain."""
    assert decided(make_run(steps(8, 0.05, kept=0.5, nhwc=2.0), looks=LOOKS))


def test_after_a_race_only_those_that_it_left_are_waited_for(make_run: MakeRun) -> None:
    seconds = steps(8, 0.01, kept=0.8, nhwc=1.03)

    assert words(make_run(seconds, looks=LOOKS))[NHWC] == UNDECIDED
    assert not decided(make_run(seconds, looks=LOOKS, name="waits"))
    assert decided(make_run(seconds, looks=LOOKS, candidates=[KEPT], name="raced"))


def test_the_ratio_of_a_slower_variant_need_not_be_sharp(make_run: MakeRun) -> None:
    seconds = steps(8, kept=0.5) | {(NHWC, "V"): steps(8, 0.05, nhwc=2.0)[NHWC, "V"]}

    assert decided(make_run(seconds, looks=LOOKS))


def test_a_device_has_a_leader_and_a_delta_of_its_own(make_run: MakeRun) -> None:
    """The same seconds on both, of an interval between the 2 % of CUDA and a CPU's 3 %."""
    on_cpu = steps(8, 0.012, kept=0.93)
    on_gpu = {({BASE: GPU, KEPT: GPU_NHWC}[v], arm): values for (v, arm), values in on_cpu.items()}
    now = standing(load(make_run(on_cpu | on_gpu, looks=LOOKS)))

    assert all(0.02 < math.sqrt(v.ratio.hi / v.ratio.lo) - 1 < 0.03 for v in now.leaders)
    assert {v.variant_id: v.is_sharp for v in now.leaders} == {KEPT: True, GPU_NHWC: False}
    assert not now.undecided


def test_a_run_that_declares_a_larger_change_is_decided_earlier(make_run: MakeRun) -> None:
    """The same eight rounds, of a variant that is 5 % slower: too few for 3 %, and enough for 15 %."""
    seconds = steps(8, 0.02, kept=1.05)
    small, large = (make_run(seconds, looks=LOOKS, delta=delta, name=f"d{delta}") for delta in (None, 0.15))

    assert [words(folder)[KEPT] for folder in (small, large)] == [UNDECIDED, SAME]
    assert [decided(folder) for folder in (small, large)] == [False, True]
    assert [v.is_sharp for v in standing(load(large)).leaders] == [True]


@pytest.mark.parametrize("status", ["oom", "timeout", "error"])
def test_a_variant_whose_trial_died_is_not_waited_for(status: str, make_run: MakeRun) -> None:
    folder = make_run(steps(8, kept=0.5, nhwc=0.8), bad={(KEPT, "V", 3): status}, looks=LOOKS)

    assert words(folder) == {BASE: "", KEPT: UNDECIDED, NHWC: FASTER}
    assert [v.variant_id for v in standing(load(folder)).leaders] == [NHWC]
    assert decided(folder)


def test_nothing_is_waited_for_if_a_trial_of_the_baseline_died(make_run: MakeRun) -> None:
    """All stay UNDECIDED, however many rounds follow."""
    folder = make_run(steps(8, kept=0.5, nhwc=0.8), bad={(BASE, "A", 3): "oom"}, looks=LOOKS)

    assert words(folder) == {BASE: "", KEPT: UNDECIDED, NHWC: UNDECIDED}
    assert standing(load(folder)).judged == 0
    assert decided(folder)


def test_another_device_is_waited_for_if_a_trial_of_the_baseline_died(make_run: MakeRun) -> None:
    seconds = drawn(8, 0.005, {BASE: 1.0, KEPT: 0.5, GPU: 0.1, GPU_NHWC: 0.102})
    folder = make_run(seconds, bad={(BASE, "A", 3): "oom"}, looks=LOOKS)

    assert words(folder)[GPU_NHWC] == UNDECIDED
    assert not decided(folder)


def test_an_invalid_variant_is_decided_and_leads_nothing(make_run: MakeRun) -> None:
    folder = make_run(steps(8, kept=0.5, nhwc=0.8), bad={(KEPT, "V", 3): "invalid"}, looks=LOOKS)

    assert words(folder)[KEPT] == INVALID
    assert [v.variant_id for v in standing(load(folder)).leaders] == [NHWC]


def test_if_all_are_invalid_there_is_no_leader(make_run: MakeRun) -> None:
    folder = make_run(steps(8, kept=0.5), failed={NHWC: ("invalid", "channels last")}, looks=LOOKS)
    alone = make_run(steps(8), failed={NHWC: ("invalid", "channels last")}, looks=LOOKS, name="alone")

    assert [v.variant_id for v in standing(load(folder)).leaders] == [KEPT]
    assert standing(load(alone)).leaders == ()
    assert decided(alone)


def test_if_identical_code_differs_nothing_is_decided(make_run: MakeRun) -> None:
    seconds = steps(8, kept=0.5)
    seconds[BASE, "A'"] = [1.2 * s for s in seconds[BASE, "A'"]]
    folder = make_run(seconds, looks=LOOKS)

    assert words(folder)[KEPT] == NOISY
    assert not decided(folder)


def test_a_variant_of_the_pilot_alone_is_not_waited_for(make_run: MakeRun) -> None:
    folder = make_run(steps(8, kept=1.0) | {(NHWC, "V"): [0.5]}, looks=LOOKS)

    assert words(folder) == {BASE: "", KEPT: SAME, NHWC: ""}
    assert [v.variant_id for v in standing(load(folder)).leaders] == [KEPT]
    assert decided(folder)
