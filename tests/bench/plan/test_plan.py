"""Order, rounds and budget."""

import math

import pytest

from bench.core.exchange.probe import Probe, as_text
from bench.core.variants import Variant
from bench.plan.matrix import Entry, preset
from bench.plan.schedule import (
    REPORT_RESERVE_S,
    arms,
    arms_of_trees,
    complete_rounds,
    light,
    pilot,
    pilot_of_trees,
    pilot_probes,
    round_trials,
    rounds_that_fit,
    step_probes,
    time_limit_s,
    times_steps,
    very_slow,
)

ENTRIES = preset("quick", "cpu")


def test_the_pilot_takes_each_variant_once_and_memory_of_what_has_rounds() -> None:
    planned = pilot(ENTRIES)
    memory = [t.arm.variant.id for t in planned if t.probes == (Probe.MEMORY,)]

    assert len(ENTRIES) == len([t for t in planned if times_steps(t.probes)])
    assert memory == [e.variant.id for e in ENTRIES if not e.pilot_only]
    assert {0} == {t.round for t in planned}


def test_a_light_pilot_takes_the_memory_of_baselines_alone() -> None:
    memory = [t.arm.variant for t in pilot(ENTRIES, light=True) if t.probes == (Probe.MEMORY,)]

    assert memory == [Variant()]


@pytest.mark.parametrize(
    ("verdicts", "budget_s", "expected"),
    [(True, None, False), (True, 1200.0, False), (True, 540.0, True), (False, None, True)],
)
def test_a_look_and_a_run_short_of_time_have_a_light_pilot(
    verdicts: bool, budget_s: float | None, expected: bool
) -> None:
    assert light(verdicts=verdicts, budget_s=budget_s) == expected


def test_a_sustained_stretch_is_taken_of_baselines_on_cuda_alone() -> None:
    on_cuda = preset("quick", "cuda")
    sustained = [t.arm.variant for t in pilot([*ENTRIES, *on_cuda]) if t.probes == (Probe.SUSTAINED,)]

    assert sustained == [Variant(device="cuda", batch_size=128)]
    assert not [t for t in pilot(on_cuda, light=True) if t.probes == (Probe.SUSTAINED,)]
    largest = Entry(variant=Variant(device="cuda", batch_size="max"), pilot_only=True)
    assert (Probe.SUSTAINED,) not in pilot_probes(largest)


def test_compiled_variants_have_no_layers() -> None:
    probes = {t.arm.variant.id: as_text(t.probes) for t in pilot(ENTRIES) if times_steps(t.probes)}

    assert probes["cpu-default-nhwc-eager-b32"] == "steps+layers+kernels+numerics"
    assert probes["cpu-bf16-nchw-eager-b32"] == "steps+layers+kernels+work+numerics"
    assert probes["cpu-default-nhwc-inductor-b32-kept"] == "steps+numerics"
    assert {as_text(step_probes(e.variant)) for e in ENTRIES} == {"steps+layers", "steps"}


def test_loaders_are_timed_alone_where_they_differ_and_beside_the_baseline() -> None:
    alone = {t.arm.variant.id for t in pilot(ENTRIES) if Probe.LOADER in t.probes}
    base = "cpu-default-nchw-eager-b32"

    assert alone == {base, *(f"{base}-{name}" for name in ("notebook-syncstep", "notebook", "workers"))}


def test_the_largest_batch_is_sought_before_its_steps() -> None:
    variant = Variant(batch_size="max")

    assert list(map(as_text, pilot_probes(Entry(variant=variant, pilot_only=True)))) == [
        "fit", "steps+layers+kernels+work+loader+numerics", "epoch",
    ]  # fmt: skip


def test_of_several_ranks_steps_and_memory_are_measured() -> None:
    assert list(map(as_text, pilot_probes(Entry(variant=Variant(world_size=2))))) == [
        "steps+layers+numerics", "memory",
    ]  # fmt: skip


def test_the_very_slow_have_no_rounds() -> None:
    base, slow, bf16 = Variant(), Variant(memory_format="nhwc"), Variant(precision="bf16")

    assert very_slow([base, slow, bf16], {base.id: 3.0, slow.id: 11.0, bf16.id: 12.0}) == {bf16.id}
    assert very_slow([base, bf16], {base.id: 0.3, bf16.id: 7.9}) == set()
    assert very_slow([base], {base.id: 100.0}) == set()


def test_rounds_have_the_baseline_twice_and_leave_out_what_failed() -> None:
    failed = "cpu-default-nchw-eager-b32-kept"
    names = [(a.name, a.variant.id) for a in arms(ENTRIES, {failed}, twice=True)]

    probes = [as_text(a.probes) for a in arms(ENTRIES, {failed}, twice=True)]

    assert probes.count("steps+layers+canary") == 1
    assert probes[0] == "steps+layers+canary"
    assert names[:2] == [("A", "cpu-default-nchw-eager-b32"), ("A'", "cpu-default-nchw-eager-b32")]
    assert failed not in [v for _, v in names]
    assert len(names) == 9
    assert "A'" not in [a.name for a in arms(ENTRIES, set(), twice=False)]


def test_an_order_comes_from_seed_and_round_and_holds_every_arm_once() -> None:
    all_arms = arms(ENTRIES, set(), twice=True)
    orders = {
        (seed, number): tuple(t.arm for t in round_trials(all_arms, seed, number))
        for seed in (0, 1)
        for number in range(1, 13)
    }

    assert len(set(orders.values())) > 20
    assert all(set(order) == set(all_arms) and len(order) == 10 for order in orders.values())
    assert orders[0, 1] == tuple(t.arm for t in round_trials(all_arms, 0, 1))


def test_over_many_rounds_every_arm_stands_everywhere_alike() -> None:
    all_arms = arms(ENTRIES, set(), twice=True)
    first = [round_trials(all_arms, 0, n)[0].arm for n in range(1, 2101)]
    counts = [first.count(arm) for arm in all_arms]

    # 210 expected, binomial deviation 14: within five of them.
    assert all(140 < count < 280 for count in counts)


def test_only_rounds_with_every_arm_are_complete() -> None:
    wanted = [("a", "A"), ("a", "A'"), ("b", "V")]
    trials = [(1, *arm) for arm in wanted] + [(2, *arm) for arm in wanted[:2]] + [(3, *wanted[0])]

    assert complete_rounds(wanted, trials) == {1}
    assert complete_rounds([], trials) == set()


def test_no_round_is_begun_that_cant_end_within_the_budget() -> None:
    assert rounds_that_fit(REPORT_RESERVE_S + 10 * 60, 60, 12) == 10
    assert rounds_that_fit(REPORT_RESERVE_S + 59, 60, 12) == 0
    assert rounds_that_fit(-5, 60, 12) == 0
    assert rounds_that_fit(1e9, 60, 12) == rounds_that_fit(math.inf, 60, 12) == 12


def test_two_trees_are_held_against_each_other_in_every_round() -> None:
    entries = ENTRIES[:2]
    planned = pilot_of_trees(entries)
    found = arms_of_trees(entries, set())

    assert [(t.arm.tree, t.arm.name) for t in planned] == [("base", "A"), ("head", "V")] * 2
    assert [(a.name, a.tree) for a in found] == [("A", "base"), ("A'", "base"), ("V", "head")] * 2
    assert {t.stage for t in round_trials(found, 0, 1, "confirm")} == {"confirm"}
    assert not arms_of_trees(entries, {e.variant.id for e in entries})


def test_a_trial_may_take_some_times_what_its_pilot_took() -> None:
    assert time_limit_s(None) == 900
    assert time_limit_s(1) == 120
    assert time_limit_s(60) == 360


@pytest.mark.parametrize(("quota", "limit_s"), [(None, 900), (4.0, 900), (1.0, 900), (0.5, 1800), (0.25, 3600)])
def test_below_one_whole_cpu_a_pilot_may_take_longer(quota: float | None, limit_s: float) -> None:
    assert time_limit_s(None, quota) == limit_s
    assert time_limit_s(60, quota) == 360  # its pilot was under the quota too


def test_a_variant_for_the_pilot_alone_is_no_arm() -> None:
    entries = [Entry(variant=Variant()), Entry(variant=Variant(threads=1), pilot_only=True)]

    assert [a.variant for a in arms(entries, set(), twice=False)] == [Variant()]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_inference_has_latencies_and_no_epochs(device: str) -> None:
    entries = preset("quick", device, mode="infer")
    taken = {probe for trial in pilot(entries) for probe in trial.probes}
    in_rounds = {probe for arm in arms(entries, set(), twice=True) for probe in arm.probes}

    assert Probe.EPOCH not in taken
    assert Probe.LATENCY in taken & in_rounds
    assert Probe.LATENCY not in {probe for trial in pilot(preset("quick", device)) for probe in trial.probes}
    assert Probe.LATENCY not in {probe for arm in arms_of_trees(entries, set()) for probe in arm.probes}
