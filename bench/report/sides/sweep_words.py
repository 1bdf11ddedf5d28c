"""The sentences of a sweep's page."""

import math
from collections import Counter
from collections.abc import Iterable

from bench.analyse.stats import LEAST_ROUNDS, Interval
from bench.analyse.sweep.blocks import LEAST_BLOCKS, Combined
from bench.analyse.sweep.found import Group, Over
from bench.analyse.sweep.gather import Gathered
from bench.core.sweep.record import Attempt, Job
from bench.core.sweep.status import Cause, Status
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.report.words import Number, count_of, interval, number, percent

CAUSES = {
    Cause.KILLED: "killed",
    Cause.NODE_FAILED: "its node failed",
    Cause.TIMEOUT: "its time limit",
    Cause.PREEMPTED: "preempted",
    Cause.CANCELLED: "cancelled",
    Cause.OUT_OF_MEMORY: "out of memory",
    Cause.INTERRUPTED: "the sweep was interrupted",
    Cause.NOTHING_MEASURED: "nothing could be measured there",
    Cause.INCOMPLETE: "its run ended too early",
    Cause.USAGE: "its run refused the options",
    Cause.NOT_SUBMITTED: "the cluster refused it",
}
MOST_AS_SHARE = 0.5
"""Up to which share a difference is given in per cent; beyond it as a ratio."""
SAME_NODE = {
    True: "With one run a node, what differs between two runs of the same node counts as a difference between nodes.",
    False: "All runs were on one machine, so it says nothing about other nodes.",
}


def method(gathered: Gathered) -> tuple[str, ...]:
    """How blocks are combined, a paragraph each, in the words for blocks that are nodes, or runs on one machine."""
    one, several = block_name(gathered), blocks_name(gathered)
    return (
        f"A {one} is a block: its value is the mean over its rounds, and counts once, however many rounds it has.",
        f"*Between {several}* is the standard deviation between the {several}' true values, as a share: that of Paule "
        f"and Mandel (1982), beyond the noise that the rounds within {several} show. Its interval is the Q-profile of "
        "Viechtbauer (2007), with F in place of chi squared because the noise is estimated. "
        f"{SAME_NODE[gathered.blocks_are_nodes]}",
        f"*Within one* is the standard error of a {one}'s value by its own rounds, one for all {several}.",
        f"The ratio is the mean of the {several}' log ratios, each taken within rounds, with the interval of Hartung "
        f"and Knapp (2001): Student's t of one degree of freedom less than {several}. It speaks of {several} like "
        "these.",
        "These are no verdicts. The fastest variant is chosen by the rounds that also measure it, which favours it a "
        "little. The page of each run has its own verdicts.",
    )


def what(gathered: Gathered, blocks: int) -> str:
    """A number of blocks with their name: 6 nodes, 6 runs on one node."""
    return count_of(blocks, block_name(gathered))


def block_name(gathered: Gathered) -> str:
    """The name of one block: a node, or a run if all were on one machine."""
    return "node" if gathered.blocks_are_nodes else "run"


def blocks_name(gathered: Gathered) -> str:
    """The name of several blocks."""
    return f"{block_name(gathered)}s"


def jobs_words(gathered: Gathered) -> str:
    """Whether every job has a complete run with a complete round, and which do not."""
    jobs, lacking = len(gathered.sweep.jobs), lacking_words(gathered)
    if not lacking:
        return f"Complete: {jobs} of {jobs} jobs have a complete run.{again_words(gathered.sweep.jobs)}"
    with_round = " with a complete round" if gathered.without_rounds else ""
    have = f"**{jobs - len(lacking)} of {count_of(jobs, 'job')} have a complete run{with_round}.**"
    return f"{have} Missing: {'; '.join(lacking)}.{again_words(gathered.sweep.jobs)}"


def again_words(jobs: Iterable[Job]) -> str:
    """The complete jobs that took more than one attempt, with what ended the earlier ones; empty without any."""
    told = [f"{job.name} ({lost_words(job)})" for job in jobs if job.status is Status.OK and len(job.attempts) > 1]
    return f" More than one attempt: {'; '.join(told)}." if told else ""


def lost_words(job: Job) -> str:
    """Why a job's attempts before the last were lost: killed 2 times, out of memory."""
    causes = Counter(CAUSES[a.cause] if a.cause else str(a.status) for a in job.attempts[:-1])
    return ", ".join(cause if times == 1 else f"{cause} {times} times" for cause, times in causes.items())


def nothing_words(gathered: Gathered) -> str:
    """That no run has a complete round, and what helps."""
    said = "**No run has a complete round of any variant, so there is nothing to combine.**"
    if gathered.runs and all(run.budget_ended for run in gathered.runs):
        return f"{said} The budget of the runs was too short: give them a larger `--budget`."
    return said


def lacking_words(gathered: Gathered) -> list[str]:
    """Each job without a complete run, or whose run has no complete round, with the reason."""
    empty = {run.job.name: run for run in gathered.without_rounds}
    told = []
    for job in gathered.sweep.jobs:
        if job.status is not Status.OK:
            told.append(f"{job.name} {standing(job)}")
        elif run := empty.get(job.name):
            by_budget = ": its budget ended before" if run.budget_ended else ""
            told.append(f"{job.name} (no complete round{by_budget})")
    return told


def standing(job: Job) -> str:
    """How a job without a complete run stands."""
    last = job.last
    if last is None or last.cause is None:
        return str(job.status)
    where = f" on {code(last.node)}" if last.node else ""
    return f"({job.status}: {CAUSES[last.cause]}{where}, {count_of(len(job.attempts), 'attempt')})"


def fastest_words(gathered: Gathered, group: Group) -> str:
    """Which variant is fastest over blocks, and by how much."""
    best, candidates = group.fastest, [over for over in group.variants if over.log_gain.blocks]
    if best is None and candidates:
        return (
            f"No variant has rounds on all of the {what(gathered, len(group.blocks))} beside the baseline: those that "
            "a race dropped on some are in the table with fewer."
        )
    if best is None:
        return "No variant was measured in rounds beside its baseline."
    gain = interval(best.gain.estimate, best.gain.lo, best.gain.hi, digits=3)
    of = f", the largest of {len(candidates)} ratios" if len(candidates) > 1 else ""
    return (
        f"Fastest over {what(gathered, best.log_gain.blocks)}: **{marked(best.name)}**, {gain} times as fast as the "
        f"baseline{of}.{side_words(best.gain)}"
    )


def result(group: Group) -> str:
    """The result of a group in a few words, no more than its interval supports."""
    best = group.fastest
    if best is None:
        return "no answer"
    gain = f"{number(best.gain.estimate)} times as fast with {marked(best.name)}"
    if not best.gain.known:
        return f"perhaps {gain} (no interval)"
    if best.gain.lo > 1:
        return gain
    return f"perhaps {gain}" if best.gain.hi > 1 else "no variant is faster than the baseline"


def side_words(gain: Interval) -> str:
    """On which side of 1 an interval lies."""
    if not gain.known:
        return f" Fewer than {LEAST_BLOCKS} give no interval."
    if gain.lo > 1:
        return ""
    return " The interval holds 1, so it may be no faster." if gain.hi >= 1 else " It is slower than the baseline."


def spread_words(gathered: Gathered, group: Group) -> str:
    """How far blocks differ, by the baseline, or else by the first variant."""
    over = group.reference
    if over is None:
        return ""
    name, unit = marked(over.name), marked(group.unit.removesuffix("s"))
    blocks = blocks_name(gathered)
    if over.log_s.blocks < 2:
        return f"How far {blocks} differ is not known: only one measured {name}."
    if math.isnan(over.log_s.between.estimate):
        return f"How far {blocks} differ is not known: a single round does not show the noise within one."
    alike = "" if gathered.blocks_are_nodes else (
        " All ran on one node, so this is what differs between runs of that node."
    )  # fmt: skip
    return (
        f"The {blocks} differ by {between(over.log_s)} (standard deviation of the seconds per {unit} of {name}, beyond "
        f"the noise within one, {percent(over.log_s.within)}).{farthest_words(over)}{alike}"
    )


def farthest_words(over: Over) -> str:
    """The block that is farthest from the middle one."""
    logs = sorted(on.log_s for on in over.by_block)
    middle = logs[len(logs) // 2] if len(logs) % 2 else (logs[len(logs) // 2 - 1] + logs[len(logs) // 2]) / 2
    far = max(over.by_block, key=lambda on: abs(on.log_s - middle))
    share = math.expm1(far.log_s - middle)
    if len(logs) < 3:
        return ""
    than = f"{percent(abs(share))} {'longer' if share > 0 else 'less long'}"
    if abs(share) > MOST_AS_SHARE:
        than = f"{number(1 + share)} times as long"
    return f" Farthest from the median is {code(far.block)}, which takes {than}."


def beside_words(gathered: Gathered, found: Iterable[Group]) -> str:
    """Whose seconds the column `beside the median` compares: the baseline's, or of a group without one the first's."""
    whose = [
        marked(over.name) if over.is_baseline else f"{marked(over.name)} (there is no baseline)"
        for over in (group.reference for group in found)
        if over is not None
    ]
    return (
        f"*Beside the median*: the seconds of {', or of '.join(dict.fromkeys(whose))} over those of the median "
        f"{block_name(gathered)}{' of its group' * (len(whose) > 1)}."
    )


def between(combined: Combined) -> str:
    """The standard deviation between blocks as a share, with its interval."""
    spread = combined.between
    if math.isnan(spread.estimate):
        return ""
    if not spread.known:
        return percent(spread.estimate)
    shown = [percent(value).removesuffix(" %") for value in (spread.estimate, spread.lo, spread.hi)]
    return Number(f"{shown[0]} [{shown[1]}, {shown[2]}] %", spread.estimate)


def few_words(gathered: Gathered, group: Group) -> str:
    """That few blocks say little; empty with enough, and with too few for any interval."""
    if not LEAST_BLOCKS <= len(group.blocks) < LEAST_ROUNDS:
        return ""
    return (
        f"**These intervals rest on {what(gathered, len(group.blocks))}.** With fewer than {LEAST_ROUNDS} they are "
        "wide, and hold only if blocks differ about as a normal distribution does."
    )


def disturbed_words(gathered: Gathered) -> str:
    """That runs shared a machine; empty if they did not."""
    asked = gathered.sweep.asked
    if asked.cluster != "local" or asked.workers == 1 or asked.jobs == 1:
        return ""
    return (
        f"**Up to {min(asked.workers, asked.jobs)} runs shared this machine at a time**, so they disturbed each other: "
        "their times are longer, and differ more, than those of single runs."
    )


def groups_words(gathered: Gathered, found: Iterable[Group]) -> str:
    """That groups are not combined, and by what they differ."""
    facts = [dict(one.setting) for one in found]
    names = dict.fromkeys(name for of_group in facts for name in of_group)
    apart = [name for name in names if len({of_group.get(name) for of_group in facts}) > 1]
    by = f" They differ in {', '.join(marked(name.replace('_', ' ')) for name in apart)}." if apart else ""
    return f"**These {blocks_name(gathered)} are not all alike, so they are combined in {len(facts)} groups.**{by}"


def group_title(found: list[Group], group: Group) -> str:
    """The name of a group: its device, with what sets it apart."""
    others = [dict(one.setting) for one in found if one is not group]
    apart = [value for name, value in group.setting if any(other.get(name) != value for other in others)]
    return ", ".join([group.device, *apart])


def attempt_row(job: Job, attempt: Attempt) -> dict[str, object]:
    """An attempt as a row."""
    return {
        "job": job.name,
        "attempt": str(attempt.number),
        "submitted as": attempt.job_id or "",
        "node": attempt.node or "",
        "status": attempt.status.value,
        "cause": attempt.cause.value if attempt.cause else "",
        "exit code": "" if attempt.exit_code is None else str(attempt.exit_code),
        "minutes": "" if attempt.ended_at is None else number(
            (attempt.ended_at - attempt.submitted_at).total_seconds() / 60
        ),
    }  # fmt: skip


def failure_words(job: Job, attempt: Attempt) -> str:
    """Why an attempt has no complete run, with the last line of its output."""
    why = CAUSES[attempt.cause] if attempt.cause else str(attempt.status)
    where = f" on {code(attempt.node)}" if attempt.node else ""
    said = f" Its last line: {code(attempt.last_line, MOST_OF_A_REASON)}" if attempt.last_line.strip() else ""
    return f"{job.name}, attempt {attempt.number}{where}: {why}.{said}"
