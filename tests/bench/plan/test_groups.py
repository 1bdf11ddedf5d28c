"""Which trials of a round take turns: those that are compared with the same arms, if all of them fit in memory."""

import pytest

from bench.core.variants import Variant
from bench.plan.groups import groups
from bench.plan.matrix import Entry
from bench.plan.schedule import Planned, arms, arms_of_trees, round_trials

B32, KEPT, B8 = Variant(), Variant(allocator="kept"), Variant(batch_size=8)
CUDA = Variant(device="cuda", batch_size=128)
GIB = 2**30
PEAKS = dict.fromkeys((variant.id for variant in (B32, KEPT, B8, CUDA)), GIB)


def planned(*variants: Variant, trees: bool = False) -> list[Planned]:
    entries = [Entry(variant=variant) for variant in variants]
    return round_trials(arms_of_trees(entries, set()) if trees else arms(entries, set(), twice=True), 1, 1)


def named(made: list[list[Planned]]) -> list[set[tuple[str, str]]]:
    return [{(trial.arm.variant.id, trial.arm.name) for trial in group} for group in made]


def test_a_baseline_and_its_variants_take_turns() -> None:
    trials = planned(B32, KEPT, B8)
    made = groups(trials, PEAKS, {"cpu": 100 * GIB})
    together = [{(B32.id, "A"), (B32.id, "A'"), (KEPT.id, "V")}, {(B8.id, "A"), (B8.id, "A'")}]

    assert sorted(map(sorted, named(made))) == sorted(map(sorted, together))
    assert sorted(trial.order for group in made for trial in group) == [0, 1, 2, 3, 4]
    for group in made:
        assert [trial.order for trial in group] == sorted(trial.order for trial in group)


def test_of_two_trees_each_variant_takes_turns_with_itself() -> None:
    made = groups(planned(B32, KEPT, trees=True), PEAKS, {"cpu": 100 * GIB})

    assert sorted(len(group) for group in made) == [3, 3]
    assert all(len({trial.arm.variant.id for trial in group}) == 1 for group in made)


@pytest.mark.parametrize(
    ("room", "peaks", "sizes"),
    [
        ({"cpu": 4 * GIB}, PEAKS, [3]),  # 3 of 3.2 GiB
        ({"cpu": 3 * GIB}, PEAKS, [1, 1, 1]),
        ({"cpu": 100 * GIB}, {B32.id: GIB}, [1, 1, 1]),  # nobody knows what the other takes
        ({"cuda": 100 * GIB}, PEAKS, [1, 1, 1]),
        ({}, PEAKS, [1, 1, 1]),
    ],
)
def test_what_is_not_known_to_fit_runs_one_after_the_other(
    room: dict[str, int], peaks: dict[str, int], sizes: list[int]
) -> None:
    trials = planned(B32, KEPT)
    made = groups(trials, peaks, room)

    assert [len(group) for group in made] == sizes
    assert [trial for group in made for trial in group] == trials


def test_one_kind_of_device_may_take_turns_while_the_other_does_not() -> None:
    made = groups(planned(B32, CUDA), PEAKS, {"cpu": 100 * GIB})

    assert sorted(len(group) for group in made) == [1, 1, 2]


@pytest.mark.parametrize("device", ["mps", "xpu:1"])
def test_on_other_devices_no_trial_takes_turns(device: str) -> None:
    one = Variant(device=device, batch_size=128)
    made = groups(planned(one), {one.id: GIB}, {"cpu": 100 * GIB, "cuda": 100 * GIB})

    assert [len(group) for group in made] == [1, 1]


def test_several_ranks_take_no_turns() -> None:
    two = Variant(world_size=2)
    made = groups(planned(B32, two), PEAKS | {two.id: GIB}, {"cpu": 100 * GIB})

    assert sorted(map(sorted, named(made))) == [[(B32.id, "A"), (B32.id, "A'")], [(two.id, "V")]]
