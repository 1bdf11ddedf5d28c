"""The race: rounds that halve a field of candidates until only finalists are left. Pure: nothing runs here.

Sequential halving (Karnin, Koren and Somekh 2013), by whole rounds in which every candidate that is left has a trial.
"""

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from bench.core.exchange.probe import Probe
from bench.core.header import Counts
from bench.core.variants import NOTEBOOK, Variant
from bench.plan.schedule import Arm, Planned, round_trials

STAGE = "race"
FINALISTS = 3
"""How many candidates of a device and model get final rounds: the likely winner, and who may yet be faster."""


def is_candidate(variant: Variant) -> bool:
    """Whether a variant takes part in the race. A baseline and the notebook's loop get final rounds in any case."""
    return not variant.is_baseline and any(getattr(variant, axis) != value for axis, value in NOTEBOOK.items())


def fields(candidates: Iterable[Variant]) -> list[list[Variant]]:
    """The candidates that race against each other: those of the same device, model and ranks."""
    by_place: dict[tuple[str | int, ...], list[Variant]] = {}
    for variant in candidates:
        place = (variant.device, variant.model, variant.world_size, variant.parallel)
        by_place.setdefault(place, []).append(variant)
    return list(by_place.values())


def is_over(candidates: Iterable[Variant], finalists: int) -> bool:
    """Whether no field has more candidates than finalists."""
    return all(len(field) <= finalists for field in fields(candidates))


def halved(ranked: Iterable[Variant], finalists: int) -> list[Variant]:
    """The faster half of each field, but no fewer than the finalists. The candidates come with the fastest first."""
    return [variant for field in fields(ranked) for variant in field[: max(finalists, math.ceil(len(field) / 2))]]


def cut(ranked: Iterable[Variant], finalists: int) -> list[Variant]:
    """The finalists of each field. The candidates come with the fastest first."""
    return [variant for field in fields(ranked) for variant in field[:finalists]]


def arms(final_arms: Sequence[Arm], candidates: Sequence[Variant], finalists: int) -> list[Arm]:
    """The arms of a round of the race: the candidates of fields that are not decided, with their baselines."""
    racing = [v for field in fields(candidates) if len(field) > finalists for v in field]
    wanted = set(racing) | {variant.baseline for variant in racing}
    return [arm for arm in final_arms if arm.variant in wanted]


def trials(arms: Sequence[Arm], seed: int, number: int) -> list[Planned]:
    """The trials of a round of the race: steps alone, in an order drawn as for other rounds."""
    return [
        Planned(round=t.round, order=t.order, arm=t.arm, stage=STAGE, probes=(Probe.STEPS,))
        for t in round_trials(arms, seed, number, STAGE)
    ]


def counts(of_rounds: Counts) -> Counts:
    """How many steps a trial of the race takes: plain ones alone."""
    return replace(of_rounds, stamped=0)
