"""How sure the answer is: its verdict, whom the rounds do not tell it apart from, and how far the next one is."""

import pandas as pd

from bench.analyse import tables
from bench.analyse.best import alike
from bench.analyse.labels import named
from bench.analyse.load import RunData
from bench.analyse.verdicts import FASTER, SAME
from bench.report.words import count_of, interval


def sentences(data: RunData, steps: pd.DataFrame, best: str, verdict: str) -> list[str]:
    """The verdict on the fastest variant of some, and how it stands beside the others that have rounds."""
    if not data.run.plan.verdicts:
        return ["This look gives estimates and no verdicts: take the preset quick for those."]
    counted = steps[steps.n > 0].sort_values("items_per_s", ascending=False, kind="stable")
    in_rounds = [str(v) for v in counted.variant_id]
    compared = [v for v in in_rounds if tables.ratio_to(data, best, v)[1]]
    close = [v for v in alike(data, in_rounds) if v in compared]
    behind = [v for v in compared if v not in close]
    together = [verdict_words(data, best, verdict), *close_words(data, best, close)]
    return [" ".join(together), *next_words(data, best, behind[:1])]


def verdict_words(data: RunData, best: str, verdict: str) -> str:
    """The verdict on the fastest, compared with its baseline."""
    if data.variants[best].is_baseline:
        return "It is a baseline itself: no variant came out ahead of it."
    return {
        FASTER: "Compared with the baseline the verdict is FASTER.",
        SAME: "Compared with the baseline the verdict is SAME: the gain is too small to matter.",
        "": "The baseline has no rounds to compare it with, so there is no verdict.",
    }.get(verdict, f"Compared with the baseline the verdict is {verdict}: this is an estimate, not a finding.")


def close_words(data: RunData, best: str, close: list[str]) -> list[str]:
    """A sentence on the variants that the rounds do not tell apart from the fastest, if there are any."""
    parts = [f"{named(data, other)} (it is {times(data, best, other)} times as fast)" for other in close]
    return [f"These rounds do not tell it apart from {', '.join(parts)}."] if parts else []


def next_words(data: RunData, best: str, behind: list[str]) -> list[str]:
    """A sentence on the fastest of those that are told apart from the answer, if it is no baseline of it.

    Both may share what makes the baseline vary, such as its allocator, so this ratio is often the surer one.
    """
    return [
        f"The next is {named(data, other)}: the fastest is {times(data, best, other)} times as fast as it "
        f"({count_of(tables.ratio_to(data, best, other)[1], 'round')})."
        for other in behind
        if not data.variants[other].is_baseline
    ]


def times(data: RunData, best: str, other: str) -> str:
    """How many times as fast the fastest is as another, in words."""
    ratio, _ = tables.ratio_to(data, best, other)
    return interval(ratio.estimate, ratio.lo, ratio.hi)
