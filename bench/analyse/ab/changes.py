"""What changed between two code trees: the first rounds of `bench ab` flag cells, and fresh rounds confirm them."""

import math
from dataclasses import replace

import msgspec
import pandas as pd

from bench.analyse import outcomes
from bench.analyse.ab.cells import (
    CONTROLS,
    KEYS,
    SCOPES,
    Change,
    Key,
    Stage,
    complete,
    measured,
    median_of,
    stage_of,
    step_key,
    whole_rounds,
)
from bench.analyse.ab.deaths import HEAD, Deaths
from bench.analyse.ab.judged import JUDGED, REGRESSIONS
from bench.analyse.load import RunData
from bench.analyse.stats import LEAST_ROUNDS, LEVEL, holm, p_above
from bench.analyse.tables.columns import bounded
from bench.analyse.verdicts import INVALID, NOISY, UNDECIDED
from bench.core.header import Flagged
from bench.plan.schedule import CONFIRM_ROUNDS, DEAD, repeats, tally

LEAST_WORTH = 0.005
"""The least share of the step that a change must be worth to get a word."""
REGRESSED, UNSETTLED, INCOMPARABLE, DIES = 1, 3, 4, 5
"""Exit codes."""


def gate(data: RunData) -> list[Change]:
    """Every cell by the first rounds: step, page faults, phases and layers of each variant in turn.

    The words of a change stand only in `flag`, since only fresh rounds make verdicts of them.
    """
    stage = stage_of(data, "measure")
    all_cells = []
    for variant_id in data.variants:
        if variant_id in data.excluded:
            reason = f"not run: {data.excluded[variant_id]}"
            all_cells.append(Change(variant_id=variant_id, verdict=INVALID, reason=reason))
        else:
            all_cells += _of_variant(data, variant_id, stage)
    return all_cells


def flagged(data: RunData) -> list[Flagged]:
    """The cells that fresh rounds must decide, with the word that the first rounds gave them."""
    rows = [dict(zip(KEYS, c.key, strict=True)) | {"flag": c.flag} for c in gate(data) if c.flag]
    return msgspec.convert(rows, list[Flagged])


def changes(data: RunData) -> list[Change]:
    """Every cell with its verdict; the word of a change only if the fresh rounds confirm it by themselves."""
    fresh = stage_of(data, "confirm")
    cells = data.run.state.flagged or ()
    declared: dict[Key, str] = {(c.variant_id, c.scope, c.layer, c.phase, c.metric): c.flag for c in cells}
    arms = {key: whole_rounds(fresh.cells, key) for key in declared}
    whole = {key for key in declared if len(arms[key]) >= CONFIRM_ROUNDS}
    # What can't be decided stays in the family: leaving it out would make the others look surer.
    p_values = [_p_of(data, key, declared[key], arms[key]) if key in whole else 1.0 for key in declared]
    adjusted = dict(zip(declared, holm(p_values), strict=True))
    all_cells = [
        _decided(c, fresh, adjusted[c.key] if c.key in whole and c.flag == declared[c.key] else None) if c.flag else c
        for c in gate(data)
    ]
    noisy = [c.timed and data.variants[c.variant_id].device in fresh.noisy for c in all_cells]
    return [_doubted(c, NOISY, "") if n else c for c, n in zip(all_cells, noisy, strict=True)]


def exit_code(cells: list[Change], deaths: list[Deaths], *, strict: bool) -> int:
    """The exit code for CI.

    | code | if |
    | --- | --- |
    | 1 | a cell is SLOWER or has MORE FAULTS, confirmed |
    | 5 | else, the head of a variant dies more often than its base |
    | 4 | else, a variant is INVALID, or nothing was measured |
    | 3 | else, with strict: a step is UNDECIDED or noisy, or a flagged cell lacks its fresh rounds |
    | 0 | else |
    """
    if any(c.verdict in REGRESSIONS for c in cells):
        return REGRESSED
    if any(of_variant.more_in_head for of_variant in deaths):
        return DIES
    steps = [c for c in cells if c.of_step]
    if not steps or any(c.verdict == INVALID for c in steps):
        return INCOMPARABLE
    unsettled = [c for c in steps if c.verdict in (UNDECIDED, NOISY)] + [
        c for c in cells if c.flag and c.confirmed is None
    ]
    return UNSETTLED if strict and unsettled else 0


def frame(cells: list[Change]) -> pd.DataFrame:
    """changes.csv: a row a cell."""
    rows = [
        {
            "variant_id": c.variant_id,
            "scope": c.scope,
            "layer": c.layer,
            "phase": c.phase,
            "base_s": c.base if c.timed else math.nan,
            "head_s": c.head if c.timed else math.nan,
            **bounded("ratio", c.ratio),
            "verdict": c.verdict,
            "confirmed": "" if c.confirmed is None else str(c.confirmed),
            "p": c.p,
            "worth": c.worth,
            "n": c.n,
            "reason": c.reason,
            "metric": c.metric,
            "base_faults": math.nan if c.timed else c.base,
            "head_faults": math.nan if c.timed else c.head,
        }
        for c in cells
    ]
    return pd.DataFrame(rows)


def _of_variant(data: RunData, variant_id: str, stage: Stage) -> list[Change]:
    """The cells of one variant, or the one row that says why there are none."""
    if reason := _unfit(data, variant_id):
        return [Change(variant_id=variant_id, verdict=INVALID, reason=reason)]
    cells = {key: arms for key, arms in stage.cells.items() if key[0] == variant_id}
    step = cells.get(step_key(variant_id), pd.DataFrame()).reindex(columns=[*CONTROLS, HEAD])
    whole = len(step.dropna())
    if not whole:
        return [Change(variant_id=variant_id, verdict=INVALID, reason=_nothing_measured(data, variant_id))]
    doubt = _spoilt(data, variant_id)
    step_s = median_of(step, CONTROLS)
    noisy = data.variants[variant_id].device in stage.noisy
    all_changes = []
    for key in sorted(cells, key=lambda key: SCOPES.index(key[1])):  # stable: phases and layers keep their order
        change = _judged(key, cells[key], step_s, whole, data.delta(variant_id))
        if doubt or (noisy and change.timed):
            change = _doubted(change, UNDECIDED if doubt else NOISY, doubt)
        all_changes.append(change)
    return all_changes


def _unfit(data: RunData, variant_id: str) -> str:
    """Why nothing of a variant can be compared; empty if it can.

    A trial was no measurement of it, it has no trials, or its base never ran.
    """
    trials = outcomes.step_trials(data, variant_id)
    for trial in trials[~trials.status.isin(("ok", *DEAD))].itertuples():
        return f"{trial.tree}: {trial.status}: {trial.reason}"
    if trials.empty:
        return "not measured: the run ended before"
    base = trials[(trials.stage == "pilot") & (trials.tree == "base")]
    if base.empty or (base.status == "ok").any():
        return ""
    return f"base: {base.iloc[-1].status}: {base.iloc[-1].reason}"


def _spoilt(data: RunData, variant_id: str) -> str:
    """Why the whole rounds of a variant don't count: more rounds were spoilt than may be repeated; empty otherwise."""
    trials = data.trials[(data.trials.variant_id == variant_id) & (data.trials.stage == "measure")]
    rows = zip(trials["round"], trials["variant_id"], trials["arm"], trials["status"], strict=True)
    whole, spoilt = tally([(variant_id, name) for name in data.arms_of(variant_id)], rows)
    return f"a trial died in {spoilt} of {whole + spoilt} rounds" if spoilt > repeats(whole) else ""


def _doubted(change: Change, word: str, reason: str) -> Change:
    """The cell with this word in place of its own, unless it has none or is INVALID."""
    if change.verdict in ("", INVALID):
        return change
    confirmed = None if change.confirmed is None else False
    return replace(change, verdict=word, flag="", confirmed=confirmed, reason=reason)


def _nothing_measured(data: RunData, variant_id: str) -> str:
    """Why a variant has no round with every arm."""
    trials = outcomes.step_trials(data, variant_id)
    dead = trials[trials.status != "ok"]
    for trial in dead.iloc[::-1].itertuples():
        of_tree = trials[trials.tree == trial.tree]
        times = f"{(of_tree.status != 'ok').sum()} of {len(of_tree)}"
        return f"{trial.tree} died in {times} trials, the last with {trial.status}: {trial.reason}"
    return "the run ended before a round was complete"


def _judged(key: Key, arms: pd.DataFrame, step_s: float, rounds: int, delta: float) -> Change:
    """A cell with its values, its ratio, and the word or flag that the first rounds give it."""
    arms = arms.reindex(columns=[*CONTROLS, HEAD])
    change = measured(Change.of(key), arms, step_s)
    if change.n == 0:
        missing = "head" if arms[HEAD].isna().all() else "base"
        return replace(change, reason=f"not in the {missing}")
    if change.scope != "step" and not abs(change.worth) >= LEAST_WORTH:
        return replace(change, reason=f"worth under {100 * LEAST_WORTH:g} % of the step")
    if change.n < rounds:
        return replace(change, verdict=UNDECIDED, reason=f"only in {change.n} of {rounds} whole rounds")
    if change.n < LEAST_ROUNDS:
        return replace(change, verdict=UNDECIDED, reason=f"{change.n} rounds, and {LEAST_ROUNDS} are the least")
    word = change.judged.word(change.ratio, change.n, delta)
    if word in (change.judged.better, change.judged.worse):
        return replace(change, verdict=UNDECIDED, flag=word)
    return replace(change, verdict=word)


def _p_of(data: RunData, key: Key, flag: str, arms: pd.DataFrame) -> float:
    """The p of a flagged cell's fresh rounds, one-sided: whether it changed by more than delta, as its flag says."""
    judged = JUDGED[key[4]]
    sign = 1.0 if flag == judged.worse else -1.0
    logs = sign * judged.logs(arms)
    return p_above(logs[HEAD], logs[CONTROLS], judged.log_delta(data.delta(key[0])))


def _decided(change: Change, fresh: Stage, p: float | None) -> Change:
    """A flagged cell with the decision of its fresh rounds alone; `p` is None if some of these are missing."""
    if p is None:
        n = len(complete(fresh.cells.get(change.key)))
        return replace(change, reason=f"looks {change.flag}; {n} of {CONFIRM_ROUNDS} fresh rounds measured it")
    step_s = median_of(fresh.cells[step_key(change.variant_id)], CONTROLS)
    fresh_cell = replace(measured(change, fresh.cells[change.key], step_s), p=p)
    worth = abs(fresh_cell.worth) >= LEAST_WORTH or change.scope == "step"
    fresh_cell = replace(fresh_cell, confirmed=worth and p <= 1 - LEVEL)
    if not fresh_cell.confirmed:
        return replace(fresh_cell, reason=f"looked {change.flag}; {fresh_cell.n} fresh rounds did not confirm it")
    return replace(fresh_cell, verdict=change.flag)
