"""What took place when, on each thread and stream."""

import numpy as np

from bench.analyse.kineto.found import Found
from bench.analyse.kineto.reading.events import Category, Integers
from bench.report.document import Interval, Paragraph, Section, Timeline, Track
from bench.report.words import count_of

MOST_INTERVALS = 20_000
WORDS = {
    Category.OTHER: "other", Category.STEP: "step", Category.OPERATOR: "operator", Category.ANNOTATION: "annotation",
    Category.RUNTIME: "runtime", Category.KERNEL: "kernel", Category.COPY: "memcpy", Category.SET: "memset",
    Category.PYTHON: "Python",
}  # fmt: skip


def section(found: Found, _: str) -> Section:
    """The first steps, as many as have room, to zoom into."""
    steps = shown_steps(found)
    begin, end = int(found.steps.begin_ns[0]), int(found.steps.end_ns[steps - 1])
    inside = np.flatnonzero((found.trace.events.end_ns >= begin) & (found.trace.events.begin_ns < end))
    kept = np.sort(inside[np.argsort(-found.trace.events.duration_ns[inside], kind="stable")[:MOST_INTERVALS]])
    left = len(inside) - len(kept)
    what = (
        f"the first {steps} of {len(found.steps.names)} steps" if steps < len(found.steps.names) else "the whole trace"
    )
    what = "all steps" if found.steps.are_marked and steps == len(found.steps.names) else what
    words = f"It shows {what}"
    words += f"; the {count_of(left, 'shortest event')} of them had no room." if left else "."
    line = Timeline(tracks(found, kept, begin), f"What took place when. {words}")
    return Section("Timeline", [line, Paragraph(f"The timeline is in `report.html`. {words}")])


def shown_steps(found: Found) -> int:
    """How many of the first steps have room together: at least one."""
    begins = np.sort(found.trace.events.begin_ns)
    before = np.searchsorted(begins, found.steps.end_ns) - np.searchsorted(begins, found.steps.begin_ns[0])
    return max(1, int(np.count_nonzero(before <= MOST_INTERVALS)))


def tracks(found: Found, kept: Integers, begin_ns: int) -> list[Track]:
    """The events by thread, in the order of the threads' names."""
    events = found.trace.events
    by_thread: dict[int, list[Interval]] = {}
    columns = (events.thread, events.begin_ns, events.duration_ns, events.name, events.category)
    for thread, begin, duration, name, category in zip(*(c[kept].tolist() for c in columns), strict=True):
        interval = Interval((begin - begin_ns) / 1e3, duration / 1e3, events.names[name], WORDS[Category(category)])
        by_thread.setdefault(thread, []).append(interval)
    named = [Track(track_name(found, *events.threads[number]), spans) for number, spans in by_thread.items()]
    return sorted(named, key=lambda track: track.name)


def track_name(found: Found, process: str, thread: str) -> str:
    """What a thread or stream is called."""
    titles = found.trace.titles
    own = titles.get((process, thread), thread)
    return " ".join(filter(None, [titles.get((process, "")), process, own]))
