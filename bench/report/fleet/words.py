"""The sentences of a fleet's page."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import assert_never

from bench.analyse.fleet.groups import Group
from bench.analyse.fleet.outliers import DEGREES, LEAST_MACHINES, SIMULATED
from bench.analyse.fleet.tables import kinds
from bench.analyse.fleet.tails import Tails
from bench.analyse.fleet.verdicts import Fleet, Judged, Machine, Why, family_of
from bench.analyse.history.gather import Setting
from bench.analyse.verdicts import UNDECIDED
from bench.core.text import code, marked
from bench.report.words import count_of, interval, percent

MODELS = (
    "*Times as fast*: the median machine with this driver beside the median machine of its kind, over all its "
    "variants; brackets hold 95 %, from 6 machines on. A driver whose brackets lie beside 1 differs from the others "
    "of its kind. Machines that differ in it also widen the scatter, so an outlier is harder to see among them."
)
MACHINES = (
    "*Times as fast*: the machine beside the median machine of its kind in this variant; below 1 it is slower. The "
    "interval of 95 % is that of the machine's own rounds. *Deviations*: how far that "
    "is, in deviations of the group (above 0: slower). *p*: the chance that any machine of a kind lies as far off if "
    "all are alike, for normal scatter and for heavy tails. A machine has a row with the variant that shows it most "
    "clearly; machines.csv has a row a variant."
)
DRAWN = (
    "Of each kind one variant is drawn: the one in which most machines are marked. All are in machines.csv. A ring is "
    "a machine that is undecided."
)
MOST_NAMED = 6
NO_PART_OF_A_NAME = re.compile(r"\((R|TM)\)|\b(CPU|Processor)\b|@ [0-9.]+ ?GHz", re.IGNORECASE)
"""What a processor's name has beside its name: it makes the column of a table narrow without it."""
GROUPS = (
    "*Scatter*: the robust deviation of a machine (1.48 times the median distance from the median). *Marked below*: a "
    "machine at this speed or slower, as a share of the median, is marked. It is empty if the machines are too few, or "
    "most have equal times."
)


def kind_names(every: Sequence[Group]) -> dict[Setting, str]:
    """A name for each kind: the GPU or the processor, with the facts that tell it from others of that name."""
    models = {group.setting: model_words(group) for group in every}
    often = Counter(models.values())
    names = {}
    for setting, model in models.items():
        others = [dict(other) for other, name in models.items() if name == model and other != setting]
        apart = [f"{name} {value}" for name, value in setting if any(o.get(name) != value for o in others)]
        names[setting] = f"{model} ({', '.join(apart)})" if often[model] > 1 else model
    return names


def model_words(group: Group) -> str:
    """The GPU of a group, or its processor with the number of cores."""
    facts = dict(group.setting)
    if group.device.startswith("cuda"):
        return group.model or "an unknown GPU"
    model = " ".join(NO_PART_OF_A_NAME.sub(" ", group.model).split())
    return f"{model or group.model or 'an unknown processor'}, {facts.get('cores', 'unknown')} cores"


def machines_words(of: Fleet) -> str:
    """How many runs there are of how many machines, and from when to when."""
    dates = sorted(run.stored.header.started_at for run in of.runs)
    machines = len({run.machine for run in of.runs})
    return (
        f"{count_of(len(of.runs), 'run')} of {count_of(machines, 'machine')} from {dates[0].date()} to "
        f"{dates[-1].date()}, in {count_of(len(kinds(of)), 'kind')} of machine. Each machine is compared with the "
        "others of its kind alone: the same processor, cores, GPU, CUDA and torch."
    )


def alone_words(of: Fleet) -> str:
    """That runs count as machines, if nothing says on which machine they were; empty if no run does."""
    if not of.alone:
        return ""
    which = "Each run" if of.alone == len(of.runs) else f"{of.alone} of the runs"
    each = "" if of.alone == len(of.runs) else " each"
    return (
        f"{which} counts as a machine of its own{each}: no folder says on which machine it was. Put the runs of a "
        "machine into a folder with its name, and name the folder above these."
    ).replace("runs counts", "runs count")


def few_words(of: Fleet, names: Mapping[Setting, str]) -> str:
    """The kinds of which too few machines measured any variant; empty if there is none."""
    most = {kind: max(len(group.members) for group in of.groups if group.setting == kind) for kind in kinds(of)}
    few = {kind: count for kind, count in most.items() if count < LEAST_MACHINES}
    if not few:
        return ""
    takes = f"It takes {LEAST_MACHINES} of one kind that measured the same variant"
    missing = [LEAST_MACHINES - count for count in few.values()]
    if len(few) == 1:
        [(kind, count)] = few.items()
        which, what = f"{marked(names[kind])} ({count})", f": add {count_of(missing[0], 'more machine')} of this kind"
    else:
        counts = zip(few.items(), missing, strict=True)
        which = listed([f"{marked(names[kind])} ({count}, add {lacks} more)" for (kind, count), lacks in counts])
        what = ""
    return f"Too few machines for a verdict: {which}. {takes}{what}."


def equal_words(of: Fleet, names: Mapping[Setting, str]) -> str:
    """The kinds of which most machines have equal times, and what to do; empty if there is none."""
    equal = [marked(names[kind]) for kind, why in of.unjudged.items() if why is Why.EQUAL]
    if not equal:
        return ""
    return (
        f"No verdict on {listed(equal)}, where most machines have the same times to the last digit: their runs are "
        "copies of one. Name of each machine a run that it took itself."
    )


def listed(kinds: Sequence[str]) -> str:
    """Some kinds, and how many more there are."""
    more = f" and {count_of(len(kinds) - MOST_NAMED, 'more kind')}" if len(kinds) > MOST_NAMED else ""
    return f"{', '.join(kinds[:MOST_NAMED])}{more}"


def undecided_words(of: Fleet) -> str:
    """The machines that differ by more than chance, and may not differ enough to matter; empty if there is none."""
    names = [code(machine.name) for machine in of.machines if machine.clearest.why is Why.SMALL]
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (
        f"Undecided: {', '.join(names[:MOST_NAMED])}{more}, at a distance that is hardly chance, but with an interval "
        "that reaches differences too small to matter. More rounds would tell."
    )


def found_words(of: Fleet) -> str:
    """Whether there are outliers, in a sentence."""
    if of.outliers:
        return f"{count_of(len(of.outliers), 'machine')} of {len({m.name for m in of.machines})} stand out."
    if of.tested:
        return f"No machine stands out{judged_words(of)}."
    return f"No machine could be judged: {unjudged_words(of)}."


def headline(of: Fleet) -> str:
    """The answer in a few words: no outlier is said only if some kind could be judged."""
    if not of.tested:
        return "no verdict"
    found = count_of(len(of.outliers), "outlier") if of.outliers else "no outlier"
    return f"{found}{judged_words(of)}"


def judged_words(of: Fleet) -> str:
    """That only some kinds could be judged; empty if all could."""
    every = len(kinds(of))
    return f" ({every - len(of.unjudged)} of {every} kinds could be judged)" if of.unjudged else ""


def unjudged_words(of: Fleet) -> str:
    """Why no kind at all can be judged."""
    why = set(of.unjudged.values())
    if not why:
        return "no run has a complete round of any variant"
    few = f"fewer than {LEAST_MACHINES} of {'some kinds' if len(why) > 1 else 'any kind'} measured the same variant"
    equal = "most runs of a kind have the same times to the last digit: they are copies"
    return ", and ".join([few] * (Why.TOO_FEW in why) + [equal] * (Why.EQUAL in why))


def outlier_words(of: Fleet, machine: Machine, kind: str) -> str:
    """An outlier: by how much, in which variants, and whether it stands if the scatter has heavy tails."""
    one = machine.clearest
    ratio = interval(one.ratio.estimate, one.ratio.lo, one.ratio.hi, digits=3)
    driver = f", with driver {code(one.member.driver)}" if one.member.driver else ""
    return (
        f"{code(machine.name)}: **{one.verdict}**, {ratio} times as fast as the median of {marked(kind)}{driver}, in "
        f"{marked(one.group.name)}{variants_words(machine)}.{tails_words(of, one)}"
    )


def variants_words(machine: Machine) -> str:
    """In how many of its variants an outlier is marked, if it has several."""
    if len(machine.every) == 1:
        return ""
    return f" ({sum(one.why is Why.MARKED for one in machine.every)} of its {len(machine.every)} variants are marked)"


def tails_words(of: Fleet, one: Judged) -> str:
    """Whether an outlier stands if the scatter has heavy tails."""
    if of.tails is Tails.HEAVY:
        return ""
    return " It stands with heavy tails too." if one.p_heavy <= of.error else " With heavy tails it may be chance."


def p_words(p: float) -> str:
    """A p, to two digits."""
    return "" if math.isnan(p) else f"{p:.2g}"


def why_words(one: Judged) -> str:
    """The word for a machine, or why it has none."""
    match one.why:
        case Why.MARKED:
            return one.verdict
        case Why.ALIKE:
            return "alike"
        case Why.SMALL:
            return UNDECIDED
        case Why.TOO_FEW | Why.EQUAL:
            return f"no verdict ({one.why})"
        case _ as never:
            assert_never(never)


def method_words(of: Fleet) -> list[str]:
    """The rule and its error rate."""
    error = percent(of.error)
    deltas = sorted({of.delta_of(group.device) for group in of.groups})
    families = {group.setting: family_of(of.groups, group.setting) for group in of.tested}
    several = max(families.values(), default=1)
    share = f" Its {several} variants share the {error} equally." if several > 1 and len(families) == 1 else ""
    share = f" The variants of a kind share the {error} equally." if several > 1 and len(families) > 1 else share
    return [
        "A machine's value is the median over its runs of the log of seconds per item. Its distance is from the median "
        "of its group, in robust deviations (1.48 times the median distance from the median: Hampel's identifier). It "
        "is marked if its p is at most the error, and its whole interval lies more than "
        f"{' or '.join(percent(delta) for delta in deltas)} from the median.",
        f"If all machines of a kind are alike and scatter {scatter_words(of.tails)}, {error} of such kinds have any "
        f"marked machine, at most.{share} {kinds_words(len(families), of.error)}The limits are those of {SIMULATED:,} "
        "simulated groups of each size (Davies and Gather, 1993).",
        tails_note(of.tails),
        f"With fewer than {LEAST_MACHINES} machines none is marked, since even one that is 20 % slower would often be "
        "missed. docs/fleet.md has the rates: how often an alike group has a mark, and how often slow machines are "
        "found.",
    ]


def kinds_words(count: int, error: float) -> str:
    """What the error is over several kinds."""
    if count < 2:
        return ""
    return f"That is for each kind: over the {count} kinds of this page it is {percent(1 - (1 - error) ** count)}. "


def scatter_words(tails: Tails) -> str:
    """How alike machines are taken to scatter."""
    return "normally" if tails is Tails.NORMAL else f"like Student's t with {DEGREES} degrees of freedom"


def tails_note(tails: Tails) -> str:
    """What happens if machines scatter otherwise than the rule takes them to."""
    if tails is Tails.NORMAL:
        return (
            "**If now and then a machine is far off by chance, more are marked**: with heavy tails (Student's t with "
            f"{DEGREES} degrees) about half of the alike kinds of 50 machines have one. Trust those first whose p is "
            "small with heavy tails too, or measure the machine again. `--heavy-tails` marks only these."
        )
    return "This call takes machines to scatter with heavy tails (`--heavy-tails`), so it marks fewer than the default."
