"""The page of `bench ab`: what changed between two code trees, in words, tables and a figure."""

from functools import partial

from bench.analyse.ab.cells import Change, stage_of
from bench.analyse.ab.deaths import Deaths
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.verdicts import INVALID, NOISY, UNDECIDED, smallest_seen
from bench.core.axes.allocator import KEPT
from bench.core.header import Header, SharedTask, Tree
from bench.core.records import TREES
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.plan.schedule import CONFIRM_ROUNDS
from bench.report.document import Block, Bullets, Figure, Paragraph, Section, Table, explained, paragraphs
from bench.report.figures import plots_rounds
from bench.report.outcome.results import delta_words
from bench.report.outcome.title import hardware
from bench.report.page import AbPage
from bench.report.trust import effect
from bench.report.trust.machine import busy_words, quota_words
from bench.report.words import count, interval, percent, seconds


def title(page: AbPage) -> Section:
    """Which trees and variants were compared, on which machine."""
    run = page.data.run
    state = "" if run.state.status == "complete" else f" **This run is {run.state.status}, not complete.**"
    measured = "; ".join(f"{code(v, MOST_OF_A_REASON)}, {marked(name_of(page.data, v))}" for v in page.data.variants)
    sentences = [
        f"On {hardware(run.environment)}; {marked(run.data.name)}; {run.started_at.isoformat()}.{state}",
        f"*Head* is {tree_words(run, 'head')}, *base* is {tree_words(run, 'base')}; a `+` marks changes that are "
        f"not committed. Measured: {measured}.",
    ]
    if run.trees and run.trees.task:
        sentences.append(task_words(run.trees.task))
    if run.trees and run.trees.base.digest == run.trees.head.digest:
        sentences.append("**Both trees hold the same files:** any difference between them is chance.")
    sentences.append(
        f"Each variant {'infers' if page.data.infers else 'trains'} in fresh processes of both trees, the *base* twice "
        "and the *head* once in every round, in random order. What looks changed is measured again in fresh rounds, "
        "and those alone decide."
    )
    return Section(f"{marked(run.run_id)}: {trees_words(run)}", paragraphs(sentences), level=1)


def task_words(task: SharedTask) -> str:
    """That both trees have one task, as Markdown."""
    also = " The base had another one, which was not measured: `--task-from-each` measures it." if task.replaced else ""
    return f"Both trees have the task of the head, {code(task.file)}; what it imports is their own.{also}"


def trees_words(run: Header) -> str:
    """The head against the base, by their names."""
    return f"{tree_words(run, 'head')} against {tree_words(run, 'base')}"


def name_of(data: RunData, variant_id: str) -> str:
    """A variant's short name. The baseline is called `default settings`, so that nobody takes it for the base."""
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
    if commit and tree.commit == tree.name:  # CI names the base by its commit
        return marked(commit)
    return marked(f"{tree.name} ({commit})" if commit and commit != tree.name else tree.name)


def changed_section(page: AbPage) -> Section:
    """The confirmed changes, and what stayed open."""
    return Section("What changed", [changed(page)])


def changed(page: AbPage) -> Bullets:
    """An item for each changed cell, then for what failed, was flagged but not confirmed, or stays undecided."""
    data = page.data
    confirmed = [change_words(data, c) for c in page.changes if c.confirmed] or ["No change was confirmed."]
    still_open = [words for c in page.changes if (words := open_words(data, c))]
    deaths = [death_words(data, died) for died in page.deaths]
    about_run = [*in_part_words(data), *allocator_words(data)]
    return Bullets([*confirmed, *still_open, *about_run, *deaths, *doubts(data)])


def doubts(data: RunData) -> list[str]:
    """What of the machine speaks against the numbers, in strong text."""
    return [f"**{sentence}**" for sentence in (*quota_words(data), *busy_words(data))]


def open_words(data: RunData, change: Change) -> str:
    """Why a cell has no answer; empty if it has one, or needs none."""
    variant, reason = marked(name_of(data, change.variant_id)), marked(change.reason, MOST_OF_A_REASON)
    if change.verdict == INVALID:
        return f"**{variant} is INVALID**: {reason}."
    if change.flag and not change.confirmed:
        return f"{variant}, {marked(part_of(data, change))}: {change.verdict}: {reason}."
    if change.of_step and change.verdict in (UNDECIDED, NOISY):
        why = f" ({reason})" if reason else ""
        return f"{variant}, step: {change.verdict}{why}.{seen_words(data, change)}"
    return ""


def allocator_words(data: RunData) -> list[str]:
    """A sentence if nothing on the CPU was judged with the default allocator."""
    allocators = {data.variants[v].allocator for v in data.runnable if not data.variants[v].kind.accelerates}
    if allocators != {KEPT}:
        return []
    return [
        f"On the CPU the allocator is `{KEPT}`: freed memory stays with the process, so page faults blur no time. "
        "Ask for the default one with `--axis allocator=default`."
    ]


def in_part_words(data: RunData) -> list[str]:
    """A sentence for each variant that took effect in part, with the trees in which it did."""
    sentences = []
    for v in data.variants:
        missed = {tree: words for tree in TREES if (words := effect.words(data, v, tree))}
        if missed:
            trees = ", ".join(f"in the {tree} {words}" for tree, words in missed.items())
            sentences.append(f"{marked(name_of(data, v))} took effect in part: {trees}.")
    return sentences


def death_words(data: RunData, deaths: Deaths) -> str:
    """How many trials of a variant died in each tree, in strong text if the head dies more often beyond chance."""
    counts = f"{deaths.head} of {deaths.head_of} trials in the head, {deaths.base} of {deaths.base_of} in the base"
    variant, reason = marked(name_of(data, deaths.variant_id)), marked(deaths.reason, MOST_OF_A_REASON)
    if deaths.more_in_head:
        return f"**{variant} dies more often in the head**: {counts} (p {deaths.p:.1g}), the last with {reason}"
    return f"{variant}: {counts} died, the last with {reason}; their rounds were repeated, within a limit."


def change_words(data: RunData, change: Change) -> str:
    """A confirmed change: its word, both values, its worth and certainty."""
    p = f"p {change.p:.1g}" if change.p >= 1e-6 else "p < 1e-6"
    part = f"**{change.verdict}** {marked(name_of(data, change.variant_id))}, {marked(part_of(data, change))}:"
    certainty = f"(confirmed in {change.n} fresh rounds, adjusted {p})"
    if not change.timed:
        return f"{part} {count(change.base)} -> {count(change.head)} a step {certainty}."
    return (
        f"{part} {seconds(change.head)}, while the base takes {seconds(change.base)}: {bounds(change)} times as fast; "
        f"{signed(change.worth)} of the step {certainty}."
    )


def signed(worth: float) -> str:
    """A share with its sign: +13 %, -0.7 %."""
    return f"+{percent(worth)}" if worth > 0 else percent(worth)


def bounds(change: Change) -> str:
    """A change's ratio with its interval."""
    return interval(change.ratio.estimate, change.ratio.lo, change.ratio.hi, digits=3)


def seen_words(data: RunData, change: Change) -> str:
    """A sentence on the change that would have shown; empty without an interval."""
    if not change.ratio.known:
        return ""
    seen = smallest_seen(change.ratio, data.delta(change.variant_id))
    return f" A change of {percent(seen)} would have been seen in four runs of five."


def steps_section(page: AbPage) -> Section:
    """The step of every variant in both trees, and its page faults."""
    return Section("Steps", [steps_table(page), explained(meaning(page.data))])


def meaning(data: RunData) -> str:
    """What the columns and the words of the tables mean."""
    return MEANING.format(delta=delta_words(data))


MEANING = (
    "*Base* and *head* are medians over trials. *Times as fast* is the base's seconds over the head's within rounds, "
    "with its 95 % interval, so it need not be the quotient of the two medians; below 1 is slower. *Of the step* is "
    "what that adds to the base's step. FASTER and SLOWER need the whole interval beyond the change of the part that "
    f"matters ({{delta}}), and {CONFIRM_ROUNDS} fresh rounds that say the same; SAME: the interval lies within; "
    "UNDECIDED: neither. *Page faults* of a step are judged the same way; the change that matters is 500 of them plus "
    "a tenth of the base's. Fresh rounds decide only what was flagged: a second look at the rest would be a second "
    "chance. The interval of a confirmed part is two-sided and of this part alone; the p that decides is one-sided. "
    "Every part, judged or not, is in tables/changes.csv."
)


def steps_table(page: AbPage) -> Table:
    """Base, head, ratio and verdict of every variant's step and page faults."""
    return Table.of(change_cells(page.data, c) for c in page.changes if c.scope == "step")


def change_cells(data: RunData, change: Change) -> dict[str, str]:
    """A row of a table: one cell in both trees."""
    shown = seconds if change.timed else count
    return {
        "variant": name_of(data, change.variant_id),
        "part": part_of(data, change),
        "base": shown(change.base),
        "head": shown(change.head),
        "times as fast": bounds(change) if change.timed else "",
        "of the step": signed(change.worth),
        "verdict": change.verdict,
        "rounds": f"{change.n} fresh" if change.confirmed is not None else str(change.n),
    }


CELLS_WORDS = (
    "A part is judged if its difference in the first rounds is worth 0.5 % of the step or more. A flagged part is "
    "shown with the numbers of its fresh rounds. Parts are timed on fewer steps than the step itself, so their "
    "intervals are wider."
)


def cells_section(page: AbPage) -> Section:
    """The phases and layers that were judged, and the figure."""
    data = page.data
    shown = [c for c in page.changes if c.verdict and c.scope != "step"]
    blocks: list[Block] = [Table.of(change_cells(data, c) for c in shown), Paragraph(CELLS_WORDS)]
    if drawn := [c for c in page.changes if c.verdict and c.n and c.timed]:
        blocks.append(figure(data, drawn))
    return Section("Phases and layers", blocks)


def figure(data: RunData, drawn: list[Change]) -> Figure:
    """How much longer each part takes in the head, by round."""
    several = len({c.variant_id for c in drawn}) > 1
    parts = [part_of(data, c) for c in drawn]
    names = [
        f"{name_of(data, c.variant_id)}: {part}" if several else part for c, part in zip(drawn, parts, strict=True)
    ]
    delta = max(data.delta(c.variant_id) for c in drawn)
    draw = partial(plots_rounds.changes, drawn, names, stage_of(data, "measure"), stage_of(data, "confirm"), delta)
    return Figure("changes", draw, "how much longer each part takes, one dot a round")
