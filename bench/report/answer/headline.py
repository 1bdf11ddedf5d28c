"""The title of a run's page: what was measured, and its result."""

from bench.analyse import tables
from bench.analyse.labels import named
from bench.analyse.verdicts import FASTER, SAME
from bench.core.axes.model import without_settings
from bench.core.text import MOST_OF_A_REASON, marked
from bench.report.answer import answer
from bench.report.page import Report
from bench.report.words import number


def headline(report: Report) -> str:
    """The model, the batch and the result of the first device and model of a run."""
    data, groups = report.data, list(answer.groups(report.data, report.steps).values())
    if not groups:
        return f"Run {marked(data.run.run_id)}: nothing was measured"
    best = answer.fastest(data, groups[0])
    first = data.variants[best or str(groups[0].variant_id.iloc[0])]
    what = f"{marked(without_settings(first.model), MOST_OF_A_REASON)}, batch {first.batch_size}, {first.device}"
    return f"{what}: {result(report, best) if best else 'no answer'}"


def result(report: Report, best: str) -> str:
    """How much faster the fastest variant is than its baseline, as far as the run can say."""
    data = report.data
    baseline = tables.baseline_of(data, best)
    if data.variants[best].is_baseline or baseline is None:
        return "no variant came out ahead of the baseline" if len(report.steps) > 1 else "measured"
    ratio, rounds = tables.ratio_to(data, best, baseline)
    if not rounds:
        return "measured without its baseline"
    gain = f"{number(ratio.estimate)} times as fast with {named(data, best)}"
    if not data.run.plan.verdicts:
        return f"about {gain} (estimated, no verdict)"
    verdict = report.steps.set_index("variant_id").verdict[best]
    if verdict == SAME:
        return "no variant is faster by what matters"
    return gain if verdict == FASTER else f"perhaps {gain} ({verdict})"
