"""What became of a variant's trials, taken together."""

import pandas as pd

from bench.analyse.load import RunData
from bench.plan.schedule import times_steps


def outcome(data: RunData, variant_id: str) -> tuple[str, str]:
    """Status and reason of a variant: invalid if any of its trials was, else what its pilot was.

    An arm that is not ok in the pilot has no later rounds; what fails later is in `spoilt`.
    """
    mine = step_trials(data, variant_id)
    invalid = mine[mine.status == "invalid"]
    if len(invalid):
        return "invalid", str(invalid.iloc[0].reason)
    if mine.empty:
        mine = data.trials[(data.trials.variant_id == variant_id) & (data.trials.status != "ok")]
    if mine.empty:
        return "not measured", "the run ended before"
    if (mine[mine.stage == "pilot"].status == "ok").any():  # one that the budget cut short was taken again
        return "ok", ""
    return str(mine.iloc[0].status), str(mine.iloc[0].reason)


def spoilt(data: RunData, variant_id: str) -> bool:
    """Whether a trial of a complete round was not ok: those that are left may be the lucky ones."""
    mine = step_trials(data, variant_id)
    return bool((mine[mine["round"].isin(data.rounds)].status != "ok").any())


def rounds_words(data: RunData, n: int) -> str:
    """In how many rounds a variant was ok, and of how many where that is not all."""
    if not n:
        return "pilot"
    return str(n) if n == len(data.rounds) else f"{n} of {len(data.rounds)}"


def step_trials(data: RunData, variant_id: str) -> pd.DataFrame:
    """The trials of a variant that measured its steps."""
    return data.trials[(data.trials.variant_id == variant_id) & data.trials.probes.map(times_steps).astype(bool)]


def not_gated(data: RunData, variant_id: str) -> str:
    """Why the gate could not tell what a variant computes, in words; empty where it could, or never came to it."""
    if data.spread(variant_id, "not_gated", "process").estimate != 1:
        return ""
    mine = step_trials(data, variant_id)
    reason = next((told for told in mine[mine.status == "ok"].reason if told), "for no reason that is known")
    return reason.removeprefix("not gated: ")  # older runs have it in the reason
