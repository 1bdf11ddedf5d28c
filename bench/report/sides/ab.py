"""The page of `bench ab`: what changed between two code trees, in words, tables and a figure."""

from collections.abc import Callable

import pandas as pd

from bench.analyse.changes import Change, stage_of
from bench.analyse.deaths import Deaths
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.tables import device_of
from bench.analyse.verdicts import INVALID, NOISY, UNDECIDED, delta_of, smallest_seen
from bench.core.header import Header, Tree
from bench.core.records import TREES
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.plan.schedule import CONFIRM_ROUNDS
from bench.report.figures import plots_rounds
from bench.report.outcome.results import hardware
from bench.report.page import AbPage, Lines
from bench.report.trust import effect
from bench.report.trust.noise import busy_words, quota_words
from bench.report.words import interval, markdown, percent, seconds

Written = Callable[..., str]
"""How text from outside is written: `marked` into Markdown, `shortened` into a terminal."""


def title(page: AbPage) -> Lines:
    """What was held against what, on which machine."""
    run = page.data.run
    state = "" if run.state.status == "complete" else f" **This run is {run.state.status}, not complete.**"
    measured = "; ".join(
        f"{code(v, MOST_OF_A_REASON)}, {marked(name_of(page.data, v))}" for v in page.data.variants.variant_id
    )
    lines = [
        f"# {marked(run.run_id)}: {tree_words(run, 'head')} against {tree_words(run, 'base')}",
        "",
        f"On {hardware(run.environment)}; {marked(run.data.name)}; {run.started_at.isoformat()}.{state}",
        "",
        f"*Head* is {tree_words(run, 'head')}, *base* is {tree_words(run, 'base')}; a `+` tells of changes that are "
        f"not committed. Measured: {measured}.",
        "",
    ]
    if run.trees and run.trees.base.digest == run.trees.head.digest:
        lines += ["**Both trees hold the same files:** any difference between them is chance.", ""]
    return [
        *lines,
        "Each variant trains in fresh processes of both trees, the *base* twice and the *head* once in every round, in "
        "random order. What looks changed is measured again in fresh rounds, and those alone decide.",
        "",
    ]


def name_of(data: RunData, variant_id: str) -> str:
    """A variant's short name. The baseline is called by its settings, lest it be taken for the base."""
    return label(data, variant_id).replace("baseline", "default settings", 1)


def part_of(data: RunData, change: Change) -> str:
    """A cell's name with the type of its layer: `2.0 Conv2d forward`."""
    known = data.layers[(data.layers.variant_id == change.variant_id) & (data.layers.layer == change.layer)]
    kind = str(known["type"].iloc[0]) if len(known) else ""
    return " ".join(filter(None, (change.layer, kind, change.phase))) or change.name


def tree_words(run: Header, name: str) -> str:
    """A tree by its name and commit, as Markdown."""
    tree: Tree = getattr(run.trees, name)
    commit = (tree.commit or "")[:12] + ("+" if (tree.commit or "").endswith("+") else "")
    return marked(f"{tree.name} ({commit})" if commit and commit != tree.name else tree.name)


def changed_section(page: AbPage) -> Lines:
    """The confirmed changes, and what stayed open."""
    return ["## What changed", "", *changed_lines(page), ""]


def changed_lines(page: AbPage, written: Written = marked) -> Lines:
    """One line a changed cell; then one for what failed, was flagged and not confirmed, or stays undecided."""
    data, found = page.data, page.changes
    lines = [f"- {change_words(data, c, written)}" for c in found if c.confirmed] or ["- No change was confirmed."]
    for change in found:
        variant, reason = written(name_of(data, change.variant_id)), written(change.reason, MOST_OF_A_REASON)
        if change.verdict == INVALID:
            lines.append(f"- **{variant} is INVALID**: {reason}.")
        elif change.flag and not change.confirmed:
            lines.append(f"- {variant}, {written(part_of(data, change))}: {change.verdict}: {reason}.")
        elif change.scope == "step" and change.verdict in (UNDECIDED, NOISY):
            why = f" ({reason})" if reason else ""
            lines.append(f"- {variant}, step: {change.verdict}{why}.{seen_words(data, change)}")
    lines += in_part_lines(data, written)
    lines += [f"- {death_words(data, told, written)}" for told in page.deaths]
    return [*lines, *(f"- **{sentence}**" for sentence in (*quota_words(data), *busy_words(data)))]


def in_part_lines(data: RunData, written: Written = marked) -> Lines:
    """The variants that took effect in part in some tree, and where."""
    found: Lines = []
    for v in data.variants.variant_id:
        missed = {tree: words for tree in TREES if (words := effect.words(data, v, tree))}
        if missed:
            told = ", ".join(f"in the {tree} {words}" for tree, words in missed.items())
            found.append(f"- {written(name_of(data, v))} took effect in part: {told}.")
    return found


def death_words(data: RunData, told: Deaths, written: Written = marked) -> str:
    """How many trials of a variant died in each tree; a finding where the head's are more than chance."""
    counts = f"{told.head} of {told.head_of} trials in the head, {told.base} of {told.base_of} in the base"
    variant, reason = written(name_of(data, told.variant_id)), written(told.reason, MOST_OF_A_REASON)
    if told.more_in_head:
        return f"**{variant} dies more often in the head**: {counts} (p {told.p:.1g}), the last with {reason}"
    return f"{variant}: {counts} died, the last with {reason}; their rounds were taken again, within a limit."


def change_words(data: RunData, change: Change, written: Written = marked) -> str:
    """A confirmed change: its word, seconds, worth and certainty."""
    p = f"p {change.p:.1g}" if change.p >= 1e-6 else "p < 1e-6"
    return (
        f"**{change.verdict}** {written(name_of(data, change.variant_id))}, {written(part_of(data, change))}: "
        f"{seconds(change.head_s)} where the base takes {seconds(change.base_s)}, {bounds(change)} times as fast; "
        f"{signed(change.worth)} of the step (confirmed in {change.n} fresh rounds, adjusted {p})."
    )


def signed(worth: float) -> str:
    """A share with its sign: +13 %, -0.7 %."""
    return f"+{percent(worth)}" if worth > 0 else percent(worth)


def bounds(change: Change) -> str:
    """A change's ratio with its interval."""
    return interval(change.ratio.estimate, change.ratio.lo, change.ratio.hi, digits=3)


def seen_words(data: RunData, change: Change) -> str:
    """Which change would have shown, where there is an interval."""
    if not change.ratio.known:
        return ""
    delta = delta_of(device_of(data, change.variant_id))
    return f" A change of {percent(smallest_seen(change.ratio, delta))} would have been seen in four runs of five."


def steps_section(page: AbPage) -> Lines:
    """The step of every variant in both trees."""
    return ["## Steps", "", *steps_table(page), MEANING, ""]


MEANING = (
    "*Base* and *head* are medians over trials. *Times as fast* is the base's seconds over the head's within rounds, "
    "with its 95 % interval, so it need not be the quotient of the two medians; below 1 is slower. *Of the step* is "
    "what that adds to the base's step. FASTER and SLOWER need the whole interval beyond the change that matters (3 % "
    f"of the part on a CPU, 2 % on a GPU, declared beforehand), and {CONFIRM_ROUNDS} fresh rounds that say the same; "
    "SAME: the interval lies within; UNDECIDED: neither. Fresh rounds decide about what was flagged and nothing else: "
    "a second look at the rest would be a second chance. The interval of a confirmed part is two-sided and of this "
    "part alone; the p that decides is one-sided. Every part, judged or not, is in tables/changes.csv."
)


def steps_table(page: AbPage) -> Lines:
    """Base, head, ratio and verdict of every variant's step."""
    rows = [change_cells(page.data, c) for c in page.changes if c.scope == "step"]
    return markdown(pd.DataFrame(rows))


def change_cells(data: RunData, change: Change) -> dict[str, str]:
    """A cell as it is shown in a table."""
    return {
        "variant": name_of(data, change.variant_id),
        "part": part_of(data, change),
        "base": seconds(change.base_s),
        "head": seconds(change.head_s),
        "times as fast": bounds(change),
        "of the step": signed(change.worth),
        "verdict": change.verdict,
        "rounds": f"{change.n} fresh" if change.confirmed is not None else str(change.n),
    }


def cells_section(page: AbPage) -> Lines:
    """Phases and layers that are worth something, and the figure."""
    data = page.data
    shown = [c for c in page.changes if c.verdict and c.scope != "step"]
    drawn = [c for c in page.changes if c.verdict and c.n]
    lines: Lines = ["## Phases and layers", ""]
    if shown:
        lines += markdown(pd.DataFrame([change_cells(data, c) for c in shown]))
    lines += [
        "A part is judged where the first rounds make its difference worth 0.5 % of the step or more; one that was "
        "flagged is shown as its fresh rounds have it. Parts are timed on fewer steps than the step is, so their "
        "intervals are wider.",
        "",
    ]
    if not drawn:
        return lines
    several = len({c.variant_id for c in drawn}) > 1
    parts = [part_of(data, c) for c in drawn]
    names = [
        f"{name_of(data, c.variant_id)}: {part}" if several else part for c, part in zip(drawn, parts, strict=True)
    ]
    delta = max(delta_of(device_of(data, c.variant_id)) for c in drawn)
    figure = plots_rounds.changes(drawn, names, stage_of(data, "measure"), stage_of(data, "confirm"), delta)
    return lines + page.figure("changes", figure, "how much longer each part takes, one dot a round")


def summary(page: AbPage) -> str:
    """The page's head for a pull request: what changed, and the steps."""
    run = page.data.run
    lines = [f"### bench ab: {tree_words(run, 'head')} against {tree_words(run, 'base')}", ""]
    return "\n".join([*lines, *changed_lines(page), "", *steps_table(page)]) + "\n"
