"""What became of a variant's trials, taken together."""

import pandas as pd

from bench.analyse.load import RunData
from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import from_text
from bench.plan.race import STAGE as RACE
from bench.plan.schedule import is_hopeless, times_steps


def outcome(data: RunData, variant_id: str) -> tuple[str, str]:
    """Status and reason of a variant: invalid if any of its trials was, else what its pilot was.

    An arm that is not ok in the pilot has no later rounds; `spoilt` says what failed later.
    """
    trials = step_trials(data, variant_id)
    invalid = trials[trials.status == "invalid"]
    if len(invalid):
        return "invalid", str(invalid.iloc[0].reason)
    if trials.empty:
        trials = data.trials[(data.trials.variant_id == variant_id) & (data.trials.status != "ok")]
    if trials.empty:
        slow = slow_in_part(data, variant_id)
        return "not measured", f"{slow} alone was hopelessly slow" if slow else "the run ended before"
    if (trials[trials.stage == "pilot"].status == "ok").any():  # a pilot that the budget cut short was repeated
        return "ok", ""
    return str(trials.iloc[0].status), str(trials.iloc[0].reason)


def slow_in_part(data: RunData, variant_id: str) -> str:
    """The id of a variant that was given up after its first step, and of which this one has all changes; or empty."""
    given_up = data.trials[data.trials.cause == Cause.TOO_SLOW].variant_id
    return next((v for v in given_up if is_hopeless(data.variants[variant_id], [data.variants[v]])), "")


def spoilt(data: RunData, variant_id: str) -> bool:
    """Whether a trial of a complete round was not ok: the trials that are left may be the lucky ones."""
    trials = step_trials(data, variant_id)
    return bool((trials[trials["round"].isin(data.rounds)].status != "ok").any())


def rounds_words(data: RunData, variant_id: str, n: int) -> str:
    """In how many rounds a variant was ok: `9`, `8 of 9`; if in none, how far it came: `race`, `pilot`, `one step`."""
    if not n:
        trials = step_trials(data, variant_id)
        return "one step" if too_slow(trials) else "race" if (trials.stage == RACE).any() else "pilot"
    return str(n) if n == len(data.rounds) else f"{n} of {len(data.rounds)}"


def too_slow(trials: pd.DataFrame) -> str:
    """Why a variant was given up after its first step; empty if it was not."""
    return next(iter(trials[trials.cause == Cause.TOO_SLOW].reason), "")


def step_trials(data: RunData, variant_id: str) -> pd.DataFrame:
    """The trials of a variant that measured its steps."""
    return data.trials[(data.trials.variant_id == variant_id) & data.trials.probes.map(_times_steps).astype(bool)]


def _times_steps(probes: str) -> bool:
    return times_steps(from_text(probes))


def not_gated(data: RunData, variant_id: str) -> str:
    """Why the gate could not check what a variant computes; empty if it could, or never got that far."""
    trials = step_trials(data, variant_id)
    reasons = list(trials[trials.cause == Cause.NOT_GATED].reason)
    return next(filter(None, reasons), "for no reason that is known") if reasons else ""


def cause_of(data: RunData, variant_id: str) -> str:
    """Why a variant is invalid or not gated; empty for any other."""
    trials = step_trials(data, variant_id)
    causes = [*trials[trials.status == Status.INVALID].cause, *trials[trials.cause == Cause.NOT_GATED].cause]
    return str(causes[0]) if causes else ""
