"""The race: who takes part, how the field is halved, and what its rounds hold."""

import pytest

from bench.core.exchange.probe import Probe
from bench.core.header import Counts
from bench.core.variants import NOTEBOOK, Variant
from bench.plan import race
from bench.plan.matrix import Entry, preset
from bench.plan.schedule import arms, changes, hopeless_s, is_hopeless

KEPT, NHWC, BF16 = Variant(allocator="kept"), Variant(memory_format="nhwc"), Variant(precision="bf16")
LOOP = Variant(loader="notebook", sync="step")
QUICK = arms(preset("quick", "cpu"), set(), twice=True)


def candidates(count: int, device: str = "cpu") -> list[Variant]:
    return [Variant(device=device, threads=number) for number in range(1, count + 1)]


def test_neither_the_baseline_nor_the_notebook_s_loop_can_drop_out() -> None:
    assert NOTEBOOK == {"loader": "notebook", "sync": "step"}
    assert [race.is_candidate(variant) for variant in (Variant(), LOOP, KEPT, BF16)] == [False, False, True, True]


@pytest.mark.parametrize(("count", "sizes"), [(3, []), (4, [3]), (7, [4, 3]), (16, [8, 4, 3]), (40, [20, 10, 5, 3])])
def test_the_field_is_halved_until_the_finalists_are_left(count: int, sizes: list[int]) -> None:
    field, seen = candidates(count), []
    while not race.is_over(field, 3):
        field = race.halved(field, 3)
        seen.append(len(field))

    assert seen == sizes
    assert field == candidates(count)[:3]


def test_each_device_has_a_field_of_its_own() -> None:
    mixed = [*candidates(2, "cuda"), *candidates(8)]

    assert race.halved(mixed, 3) == [*candidates(2, "cuda"), *candidates(4)]


def test_ranks_race_among_themselves() -> None:
    two = [Variant(threads=number, world_size=2) for number in range(1, 9)]

    assert race.halved([*two, *candidates(8)], 3) == [*two[:4], *candidates(4)]


def test_a_round_has_the_baseline_twice_its_candidates_and_nothing_else() -> None:
    field = [arm.variant for arm in QUICK if race.is_candidate(arm.variant)]
    racing = race.arms(QUICK, field[:4], 3)
    trials = race.trials(racing, seed=1, number=2)

    assert sorted(arm.name for arm in racing) == ["A", "A'", "V", "V", "V", "V"]
    assert {trial.probes for trial in trials} == {(Probe.STEPS,)}
    assert {(trial.stage, trial.round) for trial in trials} == {("race", 2)}
    assert race.arms(QUICK, field[:3], 3) == []


def test_a_trial_of_the_race_takes_the_plain_samples_alone() -> None:
    assert race.counts(Counts(plain=3, iterations=4, stamped=2, warmup=1)) == Counts(plain=3, iterations=4, warmup=1)


def test_what_is_four_times_as_slow_as_its_baseline_is_hopeless_from_eight_seconds_on() -> None:
    assert hopeless_s(BF16, {Variant().id: 3.0}) == 12.0
    assert hopeless_s(BF16, {Variant().id: 0.1}) == 8.0
    assert hopeless_s(BF16, {}) == float("inf")


def test_what_has_all_that_made_another_hopeless_is_not_tried() -> None:
    both = Variant(precision="bf16", memory_format="nhwc")

    assert changes(both) == {("precision", "bf16"), ("memory_format", "nhwc")}
    assert is_hopeless(both, [BF16])
    assert not is_hopeless(BF16, [both])
    assert not is_hopeless(NHWC, [BF16])
    assert not is_hopeless(Variant(precision="bf16", batch_size=8), [BF16])  # another baseline


def test_every_entry_of_quick_but_the_loaders_races() -> None:
    entries: list[Entry] = preset("quick", "cpu")

    assert sum(race.is_candidate(entry.variant) for entry in entries if not entry.pilot_only) == 7
