"""Which trials a run takes, in which order, and how many rounds a budget holds. Pure: nothing runs here."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.matrix import Entry
from bench.variants import Variant

DEFAULT_ROUNDS = 12
LOOK_ROUNDS = 3
REPORT_RESERVE_S = 15.0
"""What the budget keeps for the report."""
PILOT_LIMIT_S = 900.0
LEAST_LIMIT_S = 120.0
LIMIT_FACTOR = 6.0
"""A trial in a round may take this many times what its pilot took."""
MEMORY_STEP_S = 5.0
"""No memory trial for a variant that is slower: it would cost a minute of the budget."""
UNSEEN_TRIAL_S = 15.0
"""What a trial is expected to take before any was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a trial measures: the baseline (A, and A' once more) or a variant (V)."""

    name: str
    variant: Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A trial to be taken."""

    round: int
    order: int
    arm: Arm
    stage: str
    probes: str


def step_probes(variant: Variant) -> str:
    """Steps and layers share a trial; compiled layers fuse, so there it is steps alone."""
    return "steps+layers" if variant.compile_mode == "eager" else "steps"


def pilot(entries: Iterable[Entry], *, light: bool = False) -> list[Planned]:
    """Round 0: the steps of each variant and, if it has further rounds, then its memory.

    A light pilot takes the memory of baselines alone.
    """
    return [
        Planned(
            round=0,
            order=order,
            arm=Arm(name="A" if entry.variant.is_baseline else "V", variant=entry.variant),
            stage="pilot",
            probes=probes,
        )
        for order, (entry, probes) in enumerate(
            (entry, probes)
            for entry in entries
            for probes in (step_probes(entry.variant), "memory")
            if probes != "memory" or not (entry.pilot_only or (light and not entry.variant.is_baseline))
        )
    ]


def arms(entries: Iterable[Entry], failed: set[str], *, twice: bool) -> list[Arm]:
    """The arms of every round: what is not for the pilot alone and was ok there; baselines twice.

    `failed` has the ids of variants whose pilot was not ok; `twice` is false where a run gives no
    verdicts and so needs no A'.
    """
    found = []
    for entry in entries:
        if entry.pilot_only or entry.variant.id in failed:
            continue
        names = ("A", "A'") if entry.variant.is_baseline and twice else ("A",)
        found += [Arm(name=name, variant=entry.variant) for name in (names if entry.variant.is_baseline else ("V",))]
    return found


def round_trials(arms: Sequence[Arm], seed: int, number: int) -> list[Planned]:
    """A round's trials: every arm once, in an order drawn from the run's seed and the round's number."""
    order = list(arms)
    random.Random(f"{seed}/{number}").shuffle(order)  # noqa: S311 - no secret
    return [
        Planned(round=number, order=i, arm=arm, stage="measure", probes=step_probes(arm.variant))
        for i, arm in enumerate(order)
    ]


def complete_rounds(arms: Iterable[tuple[str, str]], trials: Iterable[tuple[int, str, str]]) -> set[int]:
    """The rounds in which every arm has a trial, whatever its status.

    `arms` are (variant id, name), `trials` (round, variant id, name) of stage measure.
    """
    wanted = set(arms)
    by_round: dict[int, set[tuple[str, str]]] = {}
    for number, variant_id, name in trials:
        by_round.setdefault(number, set()).add((variant_id, name))
    return {number for number, found in by_round.items() if wanted and wanted <= found}


def rounds_that_fit(left_s: float, round_s: float, wanted: int) -> int:
    """How many of the wanted rounds end within the seconds left, the report's share kept back."""
    if round_s <= 0 or math.isinf(left_s):
        return wanted
    return max(0, min(wanted, int((left_s - REPORT_RESERVE_S) // round_s)))


def time_limit_s(pilot_s: float | None) -> float:
    """After how many seconds a trial is ended; `pilot_s` is what its pilot took, None in the pilot."""
    if pilot_s is None:
        return PILOT_LIMIT_S
    return max(LEAST_LIMIT_S, LIMIT_FACTOR * pilot_s)
