"""What changed between two code trees: the cells of `bench ab`, flagged by the rounds, confirmed by fresh ones."""

import math
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd

from bench.analyse import tables
from bench.analyse.deaths import HEAD, Deaths
from bench.analyse.load import RunData
from bench.analyse.stats import LEAST_ROUNDS, LEVEL, NOTHING, Interval, as_ratio, holm, p_above, shift_interval
from bench.analyse.verdicts import FASTER, INVALID, NOISY, SLOWER, UNDECIDED, Control, delta_of, verdict
from bench.core.header import Flagged
from bench.plan.schedule import CONFIRM_ROUNDS, DEAD, repeats, tally

CONTROLS = ["A", "A'"]
LEAST_WORTH = 0.005
"""A change worth less of the step is not named."""
SCOPES = ("step", "phase", "layer")
KEYS = ["variant_id", "scope", "layer", "phase"]

Key = tuple[str, str, str, str]
"""The values of KEYS: what names a cell."""

REGRESSED, UNSETTLED, INCOMPARABLE, DIES = 1, 3, 4, 5
"""Exit codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A cell of a variant in both trees: a row of changes.csv. Ratio is the base's seconds over the head's."""

    variant_id: str
    scope: str = "step"
    layer: str = ""
    phase: str = ""
    base_s: float = math.nan
    head_s: float = math.nan
    ratio: Interval = NOTHING
    verdict: str = ""
    """Empty where the cell is worth too little to judge, or only one tree has it."""
    flag: str = ""
    """FASTER or SLOWER by the first rounds."""
    confirmed: bool | None = None
    """Whether fresh rounds alone said the same; None where nothing was flagged, or they are not all there."""
    p: float = math.nan
    """Of the fresh rounds: one-sided, against delta, adjusted by Holm."""
    worth: float = math.nan
    """What the ratio makes of the base's seconds, less those, over the base's step; within rounds, as the ratio is."""
    n: int = 0
    reason: str = ""

    @property
    def key(self) -> Key:
        """What names the cell."""
        return (self.variant_id, self.scope, self.layer, self.phase)

    @property
    def name(self) -> str:
        """The cell within its variant: `step`, `forward`, `1.0 backward`."""
        return " ".join(filter(None, (self.layer, self.phase))) or "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The complete rounds of one stage."""

    rounds: list[int]
    cells: dict[Key, pd.DataFrame]
    """Seconds: a row a round, a column an arm."""
    controls: list[Control]
    """The base's step against itself, by variant."""

    @property
    def noisy(self) -> set[str]:
        """The devices on which identical code came out different."""
        return {control.device for control in self.controls if control.noisy}


def stage_of(data: RunData, name: str) -> Stage:
    """The stage `measure` or `confirm` of a run."""
    rounds = data.rounds if name == "measure" else data.confirm_rounds
    values = data.values  # noqa: PD011 - a field of ours
    walls = values[(values.stage == name) & (values.metric == "wall") & values["round"].isin(rounds)]
    cells: dict[Key, pd.DataFrame] = {}
    if len(walls):
        # pivot, not pivot_table: a trial that gave two values must be an error, not their mean
        table = walls.pivot(index=[*KEYS, "round"], columns="arm", values="value")  # noqa: PD010
        by_key = {key: arms.droplevel(KEYS) for key, arms in table.groupby(level=KEYS)}
        as_measured = dict.fromkeys(walls[KEYS].itertuples(index=False, name=None))
        cells = {key: by_key[key] for key in as_measured}
    steps = {key[0]: arms.reindex(columns=CONTROLS).dropna() for key, arms in cells.items() if key[1] == "step"}
    controls = [tables.control(data, variant_id, np.log(arms)) for variant_id, arms in steps.items() if len(arms)]
    return Stage(rounds=rounds, cells=cells, controls=controls)


def gate(data: RunData) -> list[Change]:
    """Every cell as the first rounds see it: step, phases, layers of each variant in turn.

    FASTER and SLOWER stand in `flag` alone: only fresh rounds make verdicts of them.
    """
    stage = stage_of(data, "measure")
    found = []
    for variant_id, excluded in zip(data.variants.variant_id, data.variants.excluded_reason, strict=True):
        if excluded:
            found.append(Change(variant_id=variant_id, verdict=INVALID, reason=f"not run: {excluded}"))
        else:
            found += _of_variant(data, str(variant_id), stage)
    return found


def flagged(data: RunData) -> list[Flagged]:
    """The cells that fresh rounds must decide about, with the word that the first ones gave them."""
    rows = [dict(zip(KEYS, c.key, strict=True)) | {"flag": c.flag} for c in gate(data) if c.flag]
    return msgspec.convert(rows, list[Flagged])


def changes(data: RunData) -> list[Change]:
    """Every cell with its verdict: FASTER and SLOWER only where fresh rounds alone confirm it."""
    fresh = stage_of(data, "confirm")
    cells = data.run.state.flagged or ()
    declared: dict[Key, str] = {(c.variant_id, c.scope, c.layer, c.phase): c.flag for c in cells}
    arms = {key: _whole(fresh.cells, key) for key in declared}
    whole = {key for key in declared if len(arms[key]) >= CONFIRM_ROUNDS}
    # What can't be decided stays in the family: leaving it out would make the others look surer.
    p_values = [_p_of(data, key, declared[key], arms[key]) if key in whole else 1.0 for key in declared]
    adjusted = dict(zip(declared, holm(p_values), strict=True))
    found = [
        _decided(c, fresh, adjusted[c.key] if c.key in whole and c.flag == declared[c.key] else None) if c.flag else c
        for c in gate(data)
    ]
    return [_doubted(c, NOISY, "") if tables.device_of(data, c.variant_id) in fresh.noisy else c for c in found]


def exit_code(found: list[Change], died: list[Deaths], *, strict: bool) -> int:
    """What CI is told.

    | code | where |
    | --- | --- |
    | 1 | a cell is SLOWER, confirmed |
    | 5 | else, the head of a variant dies more often than its base |
    | 4 | else, a variant is INVALID, or nothing was measured |
    | 3 | else, with strict: a step is UNDECIDED or noisy, or a flagged cell lacks its fresh rounds |
    | 0 | else |
    """
    if any(c.verdict == SLOWER for c in found):
        return REGRESSED
    if any(told.more_in_head for told in died):
        return DIES
    steps = [c for c in found if c.scope == "step"]
    if not steps or any(c.verdict == INVALID for c in steps):
        return INCOMPARABLE
    unsettled = [c for c in steps if c.verdict in (UNDECIDED, NOISY)] + [
        c for c in found if c.flag and c.confirmed is None
    ]
    return UNSETTLED if strict and unsettled else 0


def frame(found: list[Change]) -> pd.DataFrame:
    """changes.csv."""
    rows = [
        {
            **dict(zip(KEYS, c.key, strict=True)),
            "base_s": c.base_s,
            "head_s": c.head_s,
            **tables.bounded("ratio", c.ratio),
            "verdict": c.verdict,
            "confirmed": "" if c.confirmed is None else str(c.confirmed),
            "p": c.p,
            "worth": c.worth,
            "n": c.n,
            "reason": c.reason,
        }
        for c in found
    ]
    return pd.DataFrame(rows)


def _of_variant(data: RunData, variant_id: str, stage: Stage) -> list[Change]:
    """The cells of one variant, or the one row that says why there are none."""
    if reason := _unfit(data, variant_id):
        return [Change(variant_id=variant_id, verdict=INVALID, reason=reason)]
    mine = {key: arms for key, arms in stage.cells.items() if key[0] == variant_id}
    step = mine.get((variant_id, "step", "", ""), pd.DataFrame()).reindex(columns=[*CONTROLS, HEAD])
    whole = len(step.dropna())
    if not whole:
        return [Change(variant_id=variant_id, verdict=INVALID, reason=_nothing_measured(data, variant_id))]
    doubt = _spoilt(data, variant_id)
    step_s = median_s(step, CONTROLS)
    delta, noisy = delta_of(tables.device_of(data, variant_id)), tables.device_of(data, variant_id) in stage.noisy
    found = []
    for key in sorted(mine, key=lambda key: SCOPES.index(key[1])):  # stable: phases and layers keep their order
        change = _judged(key, mine[key], step_s, whole, delta)
        if doubt or noisy:
            change = _doubted(change, UNDECIDED if doubt else NOISY, doubt)
        found.append(change)
    return found


def _unfit(data: RunData, variant_id: str) -> str:
    """Why nothing of a variant can be compared: a trial that is no measurement of it, or a base that never ran."""
    mine = tables.step_trials(data, variant_id)
    for trial in mine[~mine.status.isin(("ok", *DEAD))].itertuples():
        return f"{trial.tree}: {trial.status}: {trial.reason}"
    if mine.empty:
        return "not measured: the run ended before"
    base = mine[(mine.stage == "pilot") & (mine.tree == "base")]
    if base.empty or (base.status == "ok").any():
        return ""
    return f"base: {base.iloc[-1].status}: {base.iloc[-1].reason}"


def _spoilt(data: RunData, variant_id: str) -> str:
    """Why the rounds of a variant are not believed though some are whole: more were spoilt than may be repeated."""
    mine = data.trials[(data.trials.variant_id == variant_id) & (data.trials.stage == "measure")]
    told = zip(mine["round"], mine["variant_id"], mine["arm"], mine["status"], strict=True)
    whole, spoilt = tally([(variant_id, name) for name in data.arms_of(variant_id)], told)
    return f"a trial died in {spoilt} of {whole + spoilt} rounds" if spoilt > repeats(whole) else ""


def _doubted(change: Change, word: str, reason: str) -> Change:
    """The cell with a word that takes away any other, unless it had none or is INVALID."""
    if change.verdict in ("", INVALID):
        return change
    confirmed = None if change.confirmed is None else False
    return replace(change, verdict=word, flag="", confirmed=confirmed, reason=reason)


def _nothing_measured(data: RunData, variant_id: str) -> str:
    """Why a variant has no round with every arm."""
    trials = tables.step_trials(data, variant_id)
    dead = trials[trials.status != "ok"]
    for trial in dead.iloc[::-1].itertuples():
        mine = trials[trials.tree == trial.tree]
        times = f"{(mine.status != 'ok').sum()} of {len(mine)}"
        return f"{trial.tree} died in {times} trials, the last with {trial.status}: {trial.reason}"
    return "the run ended before a round was complete"


def _judged(key: Key, arms: pd.DataFrame, step_s: float, rounds: int, delta: float) -> Change:
    """A cell with its seconds and its ratio, and with its word or flag by the first rounds."""
    arms = arms.reindex(columns=[*CONTROLS, HEAD])
    variant_id, scope, layer, phase = key
    change = Change(variant_id=variant_id, scope=scope, layer=layer, phase=phase)
    change = _measured(change, arms, step_s)
    if change.n == 0:
        missing = "head" if arms[HEAD].isna().all() else "base"
        return replace(change, reason=f"not in the {missing}")
    if change.scope != "step" and not abs(change.worth) >= LEAST_WORTH:
        return replace(change, reason=f"worth under {100 * LEAST_WORTH:g} % of the step")
    if change.n < rounds:
        return replace(change, verdict=UNDECIDED, reason=f"only in {change.n} of {rounds} whole rounds")
    if change.n < LEAST_ROUNDS:
        return replace(change, verdict=UNDECIDED, reason=f"{change.n} rounds, and {LEAST_ROUNDS} are the least")
    word = verdict(change.ratio, change.n, delta)
    if word in (FASTER, SLOWER):
        return replace(change, verdict=UNDECIDED, flag=word)
    return replace(change, verdict=word)


def _measured(change: Change, arms: pd.DataFrame, step_s: float) -> Change:
    """The cell with its seconds and ratio, over rounds that have every arm."""
    whole = arms.dropna()
    if whole.empty:
        return change
    base_s, head_s = median_s(whole, CONTROLS), median_s(whole, [HEAD])
    ratio, worth = NOTHING, (head_s - base_s) / step_s
    if (whole > 0).to_numpy().all():
        logs = np.log(whole)
        ratio = as_ratio(shift_interval(logs[HEAD], logs[CONTROLS]))
        worth = (1 / ratio.estimate - 1) * base_s / step_s
    return replace(change, base_s=base_s, head_s=head_s, ratio=ratio, worth=worth, n=len(whole))


def median_s(arms: pd.DataFrame, names: list[str]) -> float:
    """The median over the trials of some arms."""
    return float(np.nanmedian(arms[names].to_numpy()))


def _whole(cells: dict[Key, pd.DataFrame], key: Key) -> pd.DataFrame:
    """The fresh rounds of a cell, those with a dead trial left out; none where it lacks one that its step has."""
    step = _complete(cells.get((key[0], "step", "", "")))
    arms = _complete(cells.get(key))
    return arms if len(arms) == len(step) and (arms > 0).to_numpy().all() else arms.iloc[:0]


def _complete(arms: pd.DataFrame | None) -> pd.DataFrame:
    """A cell's rounds that have every arm."""
    return (pd.DataFrame() if arms is None else arms).reindex(columns=[*CONTROLS, HEAD]).dropna()


def _p_of(data: RunData, key: Key, flag: str, arms: pd.DataFrame) -> float:
    """The p of a flagged cell's fresh rounds: that it changed by more than delta, the way it was flagged."""
    sign = 1.0 if flag == SLOWER else -1.0
    logs = sign * np.log(arms)
    return p_above(logs[HEAD], logs[CONTROLS], math.log1p(delta_of(tables.device_of(data, key[0]))))


def _decided(change: Change, fresh: Stage, p: float | None) -> Change:
    """A flagged cell as its fresh rounds alone decide it; `p` is None where they are not all there."""
    if p is None:
        n = len(_complete(fresh.cells.get(change.key)))
        return replace(change, reason=f"looks {change.flag}; {n} of {CONFIRM_ROUNDS} fresh rounds measured it")
    step_s = median_s(fresh.cells[change.variant_id, "step", "", ""], CONTROLS)
    measured = replace(_measured(change, fresh.cells[change.key], step_s), p=p)
    worth = abs(measured.worth) >= LEAST_WORTH or change.scope == "step"
    measured = replace(measured, confirmed=worth and p <= 1 - LEVEL)
    if not measured.confirmed:
        return replace(measured, reason=f"looked {change.flag}; {measured.n} fresh rounds did not confirm it")
    return replace(measured, verdict=change.flag)
