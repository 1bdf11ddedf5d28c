"""The sentences of a history's page."""

from collections import Counter

from bench.analyse.history.changepoints import least_values
from bench.analyse.history.changes import Change, History, Why
from bench.analyse.history.order import Order
from bench.analyse.history.series import Drift, Point, Series
from bench.analyse.history.sizes import scatter
from bench.analyse.verdicts import UNDECIDED
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.report.words import count_of, interval, number, percent

CHANGES = (
    "*Times as fast*: the runs from this one to the next change beside those back to the change before; below 1 they "
    "are slower. The interval has 95 %. *May be from ... to*: with 95 % one of these is the first run after the "
    "change. *p*: the chance of a mark as clear as this in a history in which nothing changed."
)


def runs_words(history: History) -> str:
    """How many runs there are, from when to when, and by what they are ordered."""
    dates = sorted(run.header.started_at for run in history.runs)
    order = "in the order of their commits" if history.order is Order.COMMITS else "by date"
    why = "" if history.order is Order.COMMITS else " (not every run names a commit of the repository in this folder)"
    return f"{count_of(len(history.runs), 'run')} from {dates[0].date()} to {dates[-1].date()}, {order}{why}."


def lacking_words(history: History) -> str:
    """That no series has enough runs for a mark; empty if one has."""
    if history.tested:
        return ""
    most = max((len(one.points) for one in history.series), default=0)
    return (
        f"The longest series has {count_of(most, 'run')}: of fewer than {least_values(history.error)} even the "
        "clearest change may be chance, so this history has no verdicts. It needs more runs of one variant on one "
        "machine."
    )


def titles(history: History) -> list[str]:
    """The name of each series: its variant's, with what sets it apart if a variant has several."""
    names = Counter(one.name for one in history.series)
    labels = []
    for one in history.series:
        others = [dict(o.setting) for o in history.series if o.name == one.name and o is not one]
        own = dict(one.setting)
        apart = [value for name, value in own.items() if any(other.get(name) != value for other in others)]
        same = names[one.name] > 1 and not apart
        more = f" ({', '.join(apart)})" if apart else f" ({one.variant_id})" if same else ""
        labels.append(f"{one.name}{more}")
    return labels


def name_of(history: History, one: Series) -> str:
    """The name of a series as Markdown."""
    place = next(number for number, other in enumerate(history.series) if other is one)
    return marked(titles(history)[place])


def verdict_words(change: Change) -> str:
    """The word for a change, or why it has none."""
    return change.verdict if change.why is Why.CALLED else f"{UNDECIDED} ({change.why})"


def change_words(history: History, change: Change) -> str:
    """What changed, by how much, at which commit, between which runs it lies, and why it has no word."""
    ratio = interval(change.ratio.estimate, change.ratio.lo, change.ratio.hi, digits=3)
    name, word = name_of(history, change.series), f"**{change.verdict}**" if change.why is Why.CALLED else UNDECIDED
    return (
        f"{name}: {word}, {ratio} times as fast from {point_words(change.after)} on. The run before is "
        f"{point_words(change.before)}.{range_words(change)}{why_words(history, change)}"
    )


def point_words(point: Point) -> str:
    """A run with its commit."""
    run = point.run
    subject = f", {marked(run.subject)}" if run.subject else ""
    commit = f" (commit {code(run.commit[:13])}{subject})" if run.commit else " (its commit is unknown)"
    return f"{code(run.name)}{commit}"


def range_words(change: Change) -> str:
    """Where else the change may lie."""
    if change.earliest.place == change.latest.place:
        return ""
    return (
        f" With 95 % the first run after the change is one of {code(change.earliest.run.name)} to "
        f"{code(change.latest.run.name)}."
    )


def why_words(history: History, change: Change) -> str:
    """Why a change has no word; empty if it has one."""
    delta = percent(history.delta_of(change.series.device))
    facts = ", ".join(marked(fact.replace("_", " "), MOST_OF_A_REASON) for fact in change.facts)
    also = f" On both sides there also differ: {facts}." if facts else ""
    match change.why:
        case Why.CALLED:
            return ""
        case Why.SMALL:
            return f" It may be smaller than {delta}, the change that matters.{also}"
        case Why.UNSTEADY:
            return (
                " Between its changes this series drifts, or neighbouring runs resemble each other, more than chance "
                f"gives. So its marks may be the machine's.{also}"
            )
        case Why.GRADUAL:
            return f" A line fits these runs better than a step: they drift.{also}"
        case Why.ENVIRONMENT:
            return f" It may be no change of the code: on both sides there also differ: {facts}."
        case Why.SAME_COMMIT:
            return " The runs on both sides measured the same commit, so it is no change of the code."


def series_row(one: Series, name: str) -> dict[str, object]:
    """How fast a series was first and last, and how its runs scatter."""
    unit = "times the base" if one.unit == "base" else f"{one.unit}/s"
    row: dict[str, object] = {"variant": name, "runs": str(len(one.points)), "unit": unit}
    row |= {"first": number(one.points[0].speed.estimate), "newest": number(one.points[-1].speed.estimate)}
    row["scatter"] = percent(scatter(one.logs))
    if one.drift is Drift.CANARY:
        row["without the canary"] = percent(scatter(one.measured))
    row["drift"] = one.drift.value
    return row


def series_words(history: History) -> list[str]:
    """What the columns mean, what was done about drift, and what is told apart."""
    sentences = [
        "*Scatter*: the standard deviation of single runs, from the differences of neighbouring ones. "
        "A change smaller than twice of it takes many runs to be found."
    ]
    drifts = {one.drift for one in history.series}
    if Drift.CANARY in drifts:
        sentences.append(
            "The canary is a fixed piece of work that every run measures. Its seconds are taken out: speeds are those "
            "of a machine on which it takes its usual time. *Without the canary* is the scatter of what was measured. "
            "If that is smaller, the canary adds noise, and `--no-canary` leaves it in."
        )
    if Drift.LACKING in drifts:
        sentences.append(
            "**Some runs have no canary, so a machine that slowed down can't be told from code that did.** "
            "Their series are as measured."
        )
    if Drift.LEFT_IN in drifts:
        sentences.append("**The call leaves the machine's drift in: it can't be told from a change of code.**")
    if Drift.BASE in drifts:
        sentences.append("Speeds are relative to the base of each run, which was measured in the same rounds.")
    if len({one.setting for one in history.series}) > 1:
        sentences.append(
            "Runs on another machine, with another torch or on another input are series of their own: a difference "
            "between them is no change of code."
        )
    return sentences


def method_words(history: History) -> list[str]:
    """The method and its error rate."""
    looked_at = count_of(len(history.tested), "variant").replace("variant", "series").replace("seriess", "series")
    return [
        "Changes are found by ranks: a scan for two parts of different level (Pettitt, 1979) and one for a part in the "
        "middle (Olshen and others, 2004), again within the parts. Shuffles give the chance of a scan as high as that. "
        "One run, however far off, marks nothing, so a change is seen four to six runs after it came.",
        f"If nothing changes and the runs of a series are exchangeable, {percent(history.error)} of histories have a "
        f"mark, at most, in any of {looked_at}. Runs that drift or resemble their neighbours break that.",
        "FASTER and SLOWER need the whole interval beyond the change that matters. A mark has no word if its series "
        "drifts, if a line fits better than a step, if the environment differs on both sides, or if both sides "
        "measured one commit. docs/history.md has the rates of simulated histories.",
    ]
