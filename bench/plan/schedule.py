"""Which trials a run takes, in which order, and how many rounds a budget holds. Pure: nothing runs here."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.core.exchange.cause import Status
from bench.core.exchange.probe import Probe
from bench.core.records import ArmName
from bench.core.variants import LARGEST, Variant
from bench.plan.matrix import Entry

DEFAULT_ROUNDS = 12
ROUNDS = {"look": 3, "full": 9}
"""Those of other presets: no verdicts; and as few as give them without a warning, since each takes minutes."""
CONFIRM_ROUNDS = 20
"""Fresh rounds that alone decide about what the first rounds flagged."""
PILOT_TRIES = 3
"""A base whose pilot died is tried so often in all: one crash says nothing of its code."""
DEAD = (Status.ERROR, Status.TIMEOUT, Status.OOM)
"""How a trial may end that gives no number and may be chance."""
REPORT_RESERVE_S = 15.0
"""What the budget keeps for the report."""
PILOT_LIMIT_S = 900.0
LEAST_LIMIT_S = 120.0
LIMIT_FACTOR = 6.0
"""A trial in a round may take this many times what its pilot took."""
MEMORY_STEP_S = 5.0
"""No memory trial for a variant that is slower: it would cost a minute of the budget."""
WHOLE_EPOCHS = 2
"""Whole epochs that count."""
EPOCHS_LIMIT_S = 30.0
"""Whole epochs are run where all of them should end in that time; elsewhere they are projected."""
SUSTAINED_S = 10.0
"""How long a CUDA device trains in one stretch, to show what the short trials of rounds do not."""
VERY_SLOW_S, VERY_SLOW_TIMES = 8.0, 4.0
"""A variant whose step takes longer, and that many times its baseline's, is measured in the pilot alone."""
SHORT_BUDGET_S = 600.0
"""Under a budget shorter than this whole epochs would take the time of rounds."""
UNSEEN_TRIAL_S = 15.0
"""What a trial is expected to take before any was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a trial measures: the baseline (A, and A' once more) or a variant (V).

    Where two code trees are compared, A and A' are a variant in the tree `base`, V is the same in `head`.
    """

    name: ArmName
    variant: Variant
    tree: str = ""
    canary: bool = False
    """Whether the trial measures the canary too."""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What a trial in a round measures."""
        return (*step_probes(self.variant), Probe.CANARY) if self.canary else step_probes(self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A trial to be taken."""

    round: int
    order: int
    arm: Arm
    stage: str
    probes: tuple[Probe, ...]


def step_probes(variant: Variant) -> tuple[Probe, ...]:
    """Steps and layers share a trial; compiled layers fuse, so there it is steps alone."""
    return (Probe.STEPS,) if variant.compiled else (Probe.STEPS, Probe.LAYERS)


def light(*, verdicts: bool, budget_s: float | None) -> bool:
    """Whether the pilot measures only what the rounds and the answer need: a look, or one short of time."""
    return not verdicts or (budget_s is not None and budget_s < SHORT_BUDGET_S)


def pilot_probes(entry: Entry, *, light: bool = False) -> list[tuple[Probe, ...]]:
    """The trials of a variant in round 0, by what each measures.

    First the largest batch, where that is asked for; the steps, and in the same process what is needed once: the
    operators that ran, the numerics gate, and what the loader does alone; then, in processes of their own, memory and
    whole epochs, if the variant has further rounds, and of a baseline on CUDA a sustained stretch. A light pilot has
    memory for baselines alone, and none of the others.
    """
    variant = entry.variant
    once = [] if variant.compiled else [Probe.KERNELS]
    if not light and (variant.is_baseline or not variant.loads_on_device or variant.reads_each_step):
        once.append(Probe.LOADER)
    first = [Probe.FIT] if variant.batch_size == LARGEST else []
    later = [] if entry.pilot_only or (light and not variant.is_baseline) else [Probe.MEMORY]
    later += [] if light else [Probe.EPOCH]
    later += [Probe.SUSTAINED] if variant.on_cuda and variant.is_baseline and not (entry.pilot_only or light) else []
    steps = (*step_probes(variant), *once, Probe.NUMERICS)
    return [*((probe,) for probe in first), steps, *((probe,) for probe in later)]


def pilot(entries: Iterable[Entry], *, light: bool = False) -> list[Planned]:
    """Round 0: every trial that `pilot_probes` tells of each variant."""
    trials = [(entry, probes) for entry in entries for probes in pilot_probes(entry, light=light)]
    return [
        Planned(
            round=0,
            order=order,
            arm=Arm(name="A" if entry.variant.is_baseline else "V", variant=entry.variant),
            stage="pilot",
            probes=probes,
        )
        for order, (entry, probes) in enumerate(trials)
    ]


def passes(variant: Variant) -> int:
    """How many whole epochs are run of a variant: one apart, one more to record CUDA graphs, and those that count."""
    return 1 + variant.replays + WHOLE_EPOCHS


def sustained(variant: Variant) -> Planned:
    """The sustained stretch of a variant, taken behind the rounds."""
    return Planned(
        round=0,
        order=0,
        arm=Arm(name="A" if variant.is_baseline else "V", variant=variant),
        stage="pilot",
        probes=(Probe.SUSTAINED,),
    )


def times_steps(probes: Iterable[Probe]) -> bool:
    """Whether a trial with these probes measures steps."""
    return Probe.STEPS in probes


def very_slow(variants: Iterable[Variant], step_s: Mapping[str, float]) -> set[str]:
    """The ids of variants so much slower than their baseline that rounds of them would cost more than they tell."""
    return {
        v.id
        for v in variants
        if step_s.get(v.id, 0.0) >= max(VERY_SLOW_S, VERY_SLOW_TIMES * step_s.get(v.baseline.id, float("inf")))
    }


def pilot_of_trees(entries: Iterable[Entry]) -> list[Planned]:
    """Round 0 where two trees are compared: the steps of each variant in both; the base's set the counts."""
    trees: dict[ArmName, str] = {"A": "base", "V": "head"}
    arms = [Arm(name=name, variant=entry.variant, tree=tree) for entry in entries for name, tree in trees.items()]
    return [
        Planned(round=0, order=order, arm=arm, stage="pilot", probes=step_probes(arm.variant))
        for order, arm in enumerate(arms)
    ]


def arms(entries: Iterable[Entry], failed: set[str], *, twice: bool) -> list[Arm]:
    """The arms of every round: what is not for the pilot alone and was ok there; baselines twice.

    `failed` has the ids of variants whose pilot was not ok, or that are very slow; `twice` is false where a run
    gives no verdicts and so needs no A'. Each device's first baseline takes the canary along.
    """
    found: list[Arm] = []
    devices: set[str] = set()
    for entry in entries:
        if entry.pilot_only or entry.variant.id in failed:
            continue
        if not entry.variant.is_baseline:
            found.append(Arm(name="V", variant=entry.variant))
            continue
        canary = entry.variant.device not in devices
        devices.add(entry.variant.device)
        found.append(Arm(name="A", variant=entry.variant, canary=canary))
        found += [Arm(name="A'", variant=entry.variant)] if twice else []
    return found


def arms_of_trees(entries: Iterable[Entry], failed: set[str]) -> list[Arm]:
    """The arms of every round where two trees are compared: each variant twice in the base, once in the head."""
    trees: dict[ArmName, str] = {"A": "base", "A'": "base", "V": "head"}
    measurable = [entry.variant for entry in entries if entry.variant.id not in failed]
    return [Arm(name=name, variant=variant, tree=tree) for variant in measurable for name, tree in trees.items()]


def round_trials(arms: Sequence[Arm], seed: int, number: int, stage: str = "measure") -> list[Planned]:
    """A round's trials: every arm once, in an order drawn from the run's order seed and the round's number."""
    order = list(arms)
    chance(seed, number).shuffle(order)
    return [Planned(round=number, order=i, arm=arm, stage=stage, probes=arm.probes) for i, arm in enumerate(order)]


def chance(seed: int, number: int) -> random.Random:
    """What draws the order of a round, by the run's order seed and the round's number."""
    return random.Random(f"{seed}/{number}")  # noqa: S311 - no secret


def complete_rounds(arms: Iterable[tuple[str, str]], trials: Iterable[tuple[int, str, str]]) -> set[int]:
    """The rounds in which every arm has a trial, whatever its status.

    `arms` are (variant id, name), `trials` (round, variant id, name) of one stage.
    """
    wanted = set(arms)
    by_round: dict[int, set[tuple[str, str]]] = {}
    for number, variant_id, name in trials:
        by_round.setdefault(number, set()).add((variant_id, name))
    return {number for number, found in by_round.items() if wanted and wanted <= found}


def tally(arms: Iterable[tuple[str, str]], trials: Iterable[tuple[int, str, str, str]]) -> tuple[int, int]:
    """The rounds in which every arm has a trial: how many are whole, each trial ok, and how many are not.

    `arms` are (variant id, name), `trials` (round, variant id, name, status) of one stage.
    """
    wanted, told = set(arms), list(trials)
    complete = complete_rounds(wanted, [trial[:3] for trial in told])
    spoilt = {number for number, variant_id, name, status in told if (variant_id, name) in wanted and status != "ok"}
    return len(complete - spoilt), len(complete & spoilt)


def repeats(wanted: int) -> int:
    """How many rounds of `ab` may be taken again because a trial died: half as many as are wanted, at least four.

    Five that died in the head and never in the base are a finding (analyse/deaths.py).
    """
    return max(4, wanted // 2)


def rounds_left(whole: int, spoilt: int, wanted: int, *, repeated: bool) -> int:
    """How many rounds are to be taken; where they are repeated, none that more were spoilt than may be."""
    if not repeated:
        return max(0, wanted - whole - spoilt)
    return 0 if spoilt > repeats(wanted) else max(0, wanted - whole)


def rounds_that_fit(left_s: float, round_s: float, wanted: int) -> int:
    """How many of the wanted rounds end within the seconds left, the report's share kept back."""
    if round_s <= 0 or math.isinf(left_s):
        return wanted
    return max(0, min(wanted, int((left_s - REPORT_RESERVE_S) // round_s)))


def patience(cpu_quota: float | None) -> float:
    """How many times as long anything may take under a quota of CPUs: more than once below one whole CPU."""
    return max(1.0, 1 / cpu_quota) if cpu_quota else 1.0


def time_limit_s(pilot_s: float | None, cpu_quota: float | None = None) -> float:
    """After how many seconds a trial is ended; `pilot_s` is what its pilot took, None in the pilot.

    What a pilot took, it took under the quota of CPUs already.
    """
    if pilot_s is None:
        return PILOT_LIMIT_S * patience(cpu_quota)
    return max(LEAST_LIMIT_S, LIMIT_FACTOR * pilot_s)
