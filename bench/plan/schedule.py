"""Which trials a run takes, in which order, and how many rounds a budget holds. Pure: nothing runs here."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.core.axes.precision import PRECISION
from bench.core.exchange.cause import Status
from bench.core.exchange.probe import Probe
from bench.core.records import ArmName
from bench.core.variants import LARGEST, Variant, as_row
from bench.plan.matrix import Entry

DEFAULT_ROUNDS = 12
ROUNDS = {"look": 3, "full": 9}
"""Rounds of other presets. `look` gives no verdicts. `full` takes the fewest that give them without a warning, because
each of its rounds takes minutes."""
CONFIRM_ROUNDS = 20
"""Fresh rounds: they alone decide about what the first rounds flagged."""
PILOT_TRIES = 3
"""How often in all the pilot of a base is tried if it died: one crash says nothing about its code."""
DEAD = (Status.ERROR, Status.TIMEOUT, Status.OOM)
"""The ends of a trial that give no number and may be chance."""
REPORT_RESERVE_S = 15.0
"""The part of the budget that is kept for the report."""
PILOT_LIMIT_S = 900.0
LEAST_LIMIT_S = 120.0
LIMIT_FACTOR = 6.0
"""A trial in a round may take this many times as long as its pilot."""
MEMORY_STEP_S = 5.0
"""A variant with a slower step has no memory trial: it would cost a minute of the budget."""
WHOLE_EPOCHS = 2
"""Whole epochs that count."""
EPOCHS_LIMIT_S = 30.0
"""Whole epochs are run if all of them should end in that time; if not, they are projected."""
SUSTAINED_S = 10.0
"""How long a GPU trains in one sustained stretch, to show what the short trials of rounds do not."""
VERY_SLOW_S, VERY_SLOW_TIMES = 8.0, 4.0
"""A variant is measured in the pilot alone if its step takes at least that long and that many times its baseline's."""
SHORT_BUDGET_S = 600.0
"""With a shorter budget the pilot is light: whole epochs would take the time that rounds need."""
DECIDING_ROUNDS = 8
"""Fewer give no verdict to a run that looks several times (looks.py)."""
BUSY = 0.05
"""From this share of the time on, in which a process waits for a CPU or a hypervisor takes it away, something else used
the machine too."""
UNSEEN_TRIAL_S = 15.0
"""How long a trial is expected to take before any was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a trial measures: the baseline (A, and once more as A') or a variant (V).

    If two code trees are compared, A and A' are a variant in the tree `base`, and V is the same variant in `head`.
    """

    name: ArmName
    variant: Variant
    tree: str = ""
    canary: bool = False
    """Whether the trial measures the canary too."""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What a trial in a round measures."""
        measured = step_probes(self.variant) if self.tree else round_probes(self.variant)
        return (*measured, Probe.CANARY) if self.canary else measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A trial that is to be taken."""

    round: int
    order: int
    arm: Arm
    stage: str
    probes: tuple[Probe, ...]


def step_probes(variant: Variant) -> tuple[Probe, ...]:
    """Steps and layers, which share a trial; steps alone for a compiled variant, whose layers are fused."""
    return (Probe.STEPS,) if variant.compiled else (Probe.STEPS, Probe.LAYERS)


def round_probes(variant: Variant) -> tuple[Probe, ...]:
    """What a trial in a round measures of a variant: in inference the latency of single calls too."""
    return (*step_probes(variant), Probe.LATENCY) if variant.infers else step_probes(variant)


def light(*, verdicts: bool, budget_s: float | None) -> bool:
    """Whether the pilot measures only what the rounds and the answer need: for a look, or with a short budget."""
    return not verdicts or (budget_s is not None and budget_s < SHORT_BUDGET_S)


def pilot_probes(
    entry: Entry, *, light: bool = False, raced: bool = False, of_task: bool = False, roofs: bool = False
) -> list[tuple[Probe, ...]]:
    """The trials of a variant in round 0, each as the probes that it measures.

    First comes the search for the largest batch, if the variant asks for it. Then come the steps, and in the same
    process what is needed once: the operators that ran, their work, the loader alone, the roofs of the device, what a
    task does once in many steps (for baselines only), and the numerics gate. Memory, if the variant has further rounds,
    and whole epochs have processes of their own. So has the sustained stretch of a baseline on a GPU. A light pilot
    measures memory for baselines only, and no loader, epochs or stretch. If a race follows, it takes the memory of its
    finalists. Inference has no epochs. Of several ranks only steps, layers and memory are measured.
    """
    variant = entry.variant
    memory = [] if entry.pilot_only or ((light or raced) and not variant.is_baseline) else [Probe.MEMORY]
    if variant.world_size > 1:
        return [(*round_probes(variant), Probe.NUMERICS), *((probe,) for probe in memory)]
    once = [] if variant.compiled else [Probe.KERNELS]
    if not variant.compiled and (variant.is_baseline or PRECISION.value(variant.precision).autocast):
        once.append(Probe.WORK)  # other variants do the work of their baseline
    if not light and (variant.is_baseline or not variant.loads_on_device or variant.reads_each_step):
        once.append(Probe.LOADER)
    if roofs:
        once.append(Probe.ROOFS)
    if of_task and variant.is_baseline and not variant.infers:
        once.append(Probe.PERIODIC)
    first = [Probe.FIT] if variant.batch_size == LARGEST else []
    later = memory + ([] if light or variant.infers else [Probe.EPOCH])
    if variant.kind.accelerates and variant.is_baseline and not (entry.pilot_only or light):
        later.append(Probe.SUSTAINED)
    steps = (*round_probes(variant), *once, Probe.NUMERICS)
    return [*((probe,) for probe in first), steps, *((probe,) for probe in later)]


def pilot(
    entries: Iterable[Entry], *, light: bool = False, raced: bool = False, of_task: bool = False
) -> list[Planned]:
    """Round 0: the trials of `pilot_probes` for each variant."""
    trials = [
        (entry, probes)
        for entry, roofs in with_first(entries)
        for probes in pilot_probes(entry, light=light, raced=raced, of_task=of_task, roofs=roofs)
    ]
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


def with_first(entries: Iterable[Entry]) -> list[tuple[Entry, bool]]:
    """Each entry, and whether it is the first baseline of its device: that one measures the device itself."""
    devices: set[str] = set()
    marked = []
    for entry in entries:
        first = entry.variant.is_baseline and entry.variant.device not in devices
        devices |= {entry.variant.device} if first else set()
        marked.append((entry, first))
    return marked


def passes(variant: Variant) -> int:
    """How many whole epochs of a variant are run: a first one, one more to record CUDA graphs, and those that count."""
    return 1 + variant.replays + WHOLE_EPOCHS


def once(variant: Variant, probe: Probe) -> Planned:
    """A trial of one probe that is taken once in a run, outside of its rounds."""
    return Planned(
        round=0,
        order=0,
        arm=Arm(name="A" if variant.is_baseline else "V", variant=variant),
        stage="pilot",
        probes=(probe,),
    )


def times_steps(probes: Iterable[Probe]) -> bool:
    """Whether a trial with these probes measures steps."""
    return Probe.STEPS in probes


def very_slow(variants: Iterable[Variant], step_s: Mapping[str, float]) -> set[str]:
    """The ids of variants that are too slow, compared with their baseline, to be worth rounds."""
    return {v.id for v in variants if step_s.get(v.id, 0.0) >= hopeless_s(v, step_s)}


def hopeless_s(variant: Variant, step_s: Mapping[str, float]) -> float:
    """How long a step may take before its variant is given up; endless if its baseline's step is not known."""
    return max(VERY_SLOW_S, VERY_SLOW_TIMES * step_s.get(variant.baseline.id, math.inf))


def is_hopeless(variant: Variant, given_up: Iterable[Variant]) -> bool:
    """Whether a variant has all that made another one of the same baseline hopeless: its values that are no default."""
    own = changes(variant)
    return any(changes(other) <= own for other in given_up if other.baseline == variant.baseline)


def changes(variant: Variant) -> set[tuple[str, str]]:
    """The axes and values in which a variant differs from its baseline."""
    return set(as_row(variant).items()) - set(as_row(variant.baseline).items())


def pilot_of_trees(entries: Iterable[Entry]) -> list[Planned]:
    """Round 0 if two trees are compared: the steps of each variant in both. The base's trial decides the counts."""
    trees: dict[ArmName, str] = {"A": "base", "V": "head"}
    arms = [Arm(name=name, variant=entry.variant, tree=tree) for entry in entries for name, tree in trees.items()]
    return [
        Planned(round=0, order=order, arm=arm, stage="pilot", probes=step_probes(arm.variant))
        for order, arm in enumerate(arms)
    ]


def arms(entries: Iterable[Entry], failed: set[str], *, twice: bool) -> list[Arm]:
    """The arms of every round: the variants that were ok in the pilot and are not for the pilot alone.

    `failed` has the ids of variants whose pilot was not ok, or that are very slow. With `twice` a baseline has a second
    arm, A'; a run without verdicts needs none. The first baseline of each device measures the canary too.
    """
    in_rounds: list[Arm] = []
    devices: set[str] = set()
    for entry in entries:
        if entry.pilot_only or entry.variant.id in failed:
            continue
        if not entry.variant.is_baseline:
            in_rounds.append(Arm(name="V", variant=entry.variant))
            continue
        canary = entry.variant.device not in devices
        devices.add(entry.variant.device)
        in_rounds.append(Arm(name="A", variant=entry.variant, canary=canary))
        in_rounds += [Arm(name="A'", variant=entry.variant)] if twice else []
    return in_rounds


def arms_of_trees(entries: Iterable[Entry], failed: set[str]) -> list[Arm]:
    """The arms of every round if two trees are compared: each variant twice in the base, once in the head."""
    trees: dict[ArmName, str] = {"A": "base", "A'": "base", "V": "head"}
    measurable = [entry.variant for entry in entries if entry.variant.id not in failed]
    return [Arm(name=name, variant=variant, tree=tree) for variant in measurable for name, tree in trees.items()]


def round_trials(arms: Sequence[Arm], seed: int, number: int, stage: str = "measure") -> list[Planned]:
    """A round's trials: every arm once, in a random order from the order seed and the round's number."""
    order = list(arms)
    chance(seed, number).shuffle(order)
    return [Planned(round=number, order=i, arm=arm, stage=stage, probes=arm.probes) for i, arm in enumerate(order)]


def chance(seed: int, number: int) -> random.Random:
    """The random numbers that decide a round's order, from the run's order seed and the round's number."""
    return random.Random(f"{seed}/{number}")  # noqa: S311 - no secret


def complete_rounds(arms: Iterable[tuple[str, str]], trials: Iterable[tuple[int, str, str]]) -> set[int]:
    """The numbers of the rounds in which every arm has a trial, whatever its status.

    `arms` are (variant id, name), `trials` (round, variant id, name) of one stage.
    """
    wanted = set(arms)
    by_round: dict[int, set[tuple[str, str]]] = {}
    for number, variant_id, name in trials:
        by_round.setdefault(number, set()).add((variant_id, name))
    return {number for number, present in by_round.items() if wanted and wanted <= present}


def tally(arms: Iterable[tuple[str, str]], trials: Iterable[tuple[int, str, str, str]]) -> tuple[int, int]:
    """How many complete rounds have only trials that are ok, and how many have another.

    `arms` are (variant id, name), `trials` (round, variant id, name, status) of one stage.
    """
    wanted, rows = set(arms), list(trials)
    complete = complete_rounds(wanted, [trial[:3] for trial in rows])
    spoilt = {number for number, variant_id, name, status in rows if (variant_id, name) in wanted and status != "ok"}
    return len(complete - spoilt), len(complete & spoilt)


def repeats(wanted: int) -> int:
    """How many rounds of `ab` may be taken again because a trial died: half of the wanted ones, but at least four.

    Then five deaths can be seen; five in the head and none in the base are a finding (analyse/ab/deaths.py).
    """
    return max(4, wanted // 2)


def rounds_left(whole: int, spoilt: int, wanted: int, *, repeated: bool) -> int:
    """How many rounds are still to be taken.

    With `repeated`, a spoilt round is taken again, and none is left once more were spoilt than `repeats` allows.
    """
    if not repeated:
        return max(0, wanted - whole - spoilt)
    return 0 if spoilt > repeats(wanted) else max(0, wanted - whole)


def rounds_that_fit(left_s: float, round_s: float, wanted: int) -> int:
    """How many of the wanted rounds fit the seconds left, without those that the report needs."""
    if round_s <= 0 or math.isinf(left_s):
        return wanted
    return max(0, min(wanted, int((left_s - REPORT_RESERVE_S) // round_s)))


def patience(cpu_quota: float | None) -> float:
    """The factor by which time limits grow under a quota of CPUs: above 1 if the quota is less than one CPU."""
    return max(1.0, 1 / cpu_quota) if cpu_quota else 1.0


def time_limit_s(pilot_s: float | None, cpu_quota: float | None = None) -> float:
    """The seconds after which a trial is ended. `pilot_s` is how long its pilot took; None in the pilot.

    A pilot's time needs no quota of CPUs: it was measured under it.
    """
    if pilot_s is None:
        return PILOT_LIMIT_S * patience(cpu_quota)
    return max(LEAST_LIMIT_S, LIMIT_FACTOR * pilot_s)
