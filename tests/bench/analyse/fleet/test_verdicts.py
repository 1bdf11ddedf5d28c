"""The verdict of a machine over its variants, and the tables of a fleet."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bench.analyse.fleet.groups import Group, Member, combined
from bench.analyse.fleet.tails import Tails
from bench.analyse.fleet.verdicts import Machine, Why, machines_of, ratio_of
from bench.analyse.stats import Interval, Values

KIND = (("cpu", "one"),)
UNKNOWN = math.nan


def group(logs: Sequence[float] | Values, variant: str = "v", width: float = 0.001) -> Group:
    """A group of machines with these logs of seconds, each known to `width`."""
    members = tuple(
        Member(machine=f"m{n:02d}", runs=1, rounds=9, driver="",
               logs=Interval(estimate=float(log), lo=float(log) - width, hi=float(log) + width))
        for n, log in enumerate(logs)
    )  # fmt: skip
    return Group(
        setting=KIND, variant_id=variant, name=variant, device="cpu", unit="images", model="one", members=members
    )


def judged(*groups: Group, delta: float | None = None, tails: Tails = Tails.NORMAL) -> dict[str, Machine]:
    return {machine.name: machine for machine in machines_of(KIND, groups, 0.05, delta, tails)}


def alike(n: int = 20, seed: int = 0, sd: float = 0.02) -> Values:
    return np.random.default_rng(seed).normal(0, sd, n)


def test_a_machine_that_takes_longer_is_slower_by_its_share_of_the_median() -> None:
    logs = alike()
    logs[3] = np.median(logs) + math.log(1.25)

    machines = judged(group(logs))

    assert [name for name, machine in machines.items() if machine.is_outlier] == ["m03"]
    one = machines["m03"].clearest
    assert (one.verdict, one.why) == ("SLOWER", Why.MARKED)
    assert one.ratio.estimate == pytest.approx(1 / 1.25, rel=0.001)
    assert one.ratio.lo < 1 / 1.25 < one.ratio.hi < 0.85


def test_a_machine_that_takes_less_is_faster() -> None:
    logs = alike()
    logs[3] -= 0.4

    assert judged(group(logs))["m03"].clearest.verdict == "FASTER"


def test_a_machine_within_delta_is_never_marked() -> None:
    logs = alike(sd=0.0005)
    logs[3] = 0.025

    one = judged(group(logs))["m03"].clearest

    assert (one.p, one.verdict, one.why) == (1 / 20_000, "", Why.SMALL)
    assert judged(group(logs), delta=0.01)["m03"].clearest.why is Why.MARKED


def test_a_machine_whose_interval_reaches_delta_is_undecided() -> None:
    logs = alike()
    logs[3] = 0.2

    assert judged(group(logs, width=0.3))["m03"].clearest.why is Why.SMALL
    assert judged(group(logs, width=UNKNOWN))["m03"].clearest.why is Why.MARKED


def test_of_fewer_than_6_machines_none_is_marked_and_the_cause_says_so() -> None:
    logs = [0.0, 0.01, -0.01, 0.02, 5.0]

    assert {machine.clearest.why for machine in judged(group(logs)).values()} == {Why.TOO_FEW}
    assert judged(group([*logs, 0.005]))["m04"].clearest.why is Why.MARKED


def test_copies_of_one_run_have_no_scatter_and_no_verdict() -> None:
    assert {one.clearest.why for one in judged(group([0.0] * 9 + [1.0])).values()} == {Why.EQUAL}


@pytest.mark.parametrize("same", [True, False], ids=["all variants equal", "independent variants"])
def test_variants_share_the_error_of_their_kind(same: bool) -> None:
    kinds = 600
    marked = 0
    for seed in range(kinds):
        own = [alike(12, seed=1000 * (0 if same else variant) + seed) for variant in range(4)]
        groups = [group(logs, f"v{variant}") for variant, logs in enumerate(own)]
        marked += any(machine.is_outlier for machine in judged(*groups).values())

    assert marked / kinds <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / kinds)
    assert marked > 0


def test_p_is_that_of_the_clearest_variant_times_their_number() -> None:
    logs = alike()
    logs[3] = np.median(logs) + 0.09
    alone = judged(group(logs))["m03"].clearest.p
    both = judged(group(logs), group(alike(seed=5), "w"))["m03"].clearest

    assert both.group.name == "v"
    assert both.p == pytest.approx(2 * alone)


def test_a_group_that_is_too_small_takes_no_part_of_the_error() -> None:
    logs = alike()
    logs[3] = np.median(logs) + 0.09

    with_few = judged(group(logs), group(logs[:5], "few"))["m03"].clearest

    assert with_few.p == judged(group(logs))["m03"].clearest.p


def test_a_group_of_copies_takes_no_part_of_the_error() -> None:
    logs = alike()
    logs[3] = np.median(logs) + 0.09

    with_copies = judged(group(logs), group([0.0] * 20, "copies"))["m03"].clearest

    assert with_copies.p == judged(group(logs))["m03"].clearest.p


def test_heavy_tails_mark_fewer_and_both_p_are_there_in_any_case() -> None:
    logs = alike(50)
    logs[3] = np.median(logs) + math.log(1.12)
    normal, heavy = (judged(group(logs), tails=tails)["m03"].clearest for tails in Tails)

    assert (normal.why, heavy.why) == (Why.MARKED, Why.ALIKE)
    assert (normal.p, heavy.p) == (normal.p_normal, normal.p_heavy)
    assert (heavy.p_normal, heavy.p_heavy) == (normal.p_normal, normal.p_heavy)


def test_the_interval_of_a_ratio_is_the_machine_s_own_beside_the_median() -> None:
    whole = group([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    member = Member(machine="m", runs=1, rounds=9, driver="", logs=Interval(estimate=0.55, lo=0.25, hi=0.95))

    ratio = ratio_of(member, whole)

    assert [-math.log(x) for x in (ratio.estimate, ratio.hi, ratio.lo)] == pytest.approx([0.3, 0.0, 0.7])


def test_runs_of_a_machine_count_with_their_median_and_the_ends_of_all() -> None:
    runs = [Interval(estimate=x, lo=x - 0.1, hi=x + 0.1) for x in (1.0, 3.0, 1.2)]

    assert combined(runs) == Interval(estimate=1.2, lo=0.9, hi=3.1)
    assert combined(runs * 2).lo == 1.0  # of six runs the interval over runs: the extremes
