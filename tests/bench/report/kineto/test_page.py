"""The page of `bench trace`: what it says of a trace, in Markdown and HTML."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.report.document import Interval, Timeline, Track
from bench.report.html import timeline as drawn
from bench.report.kineto import page, timeline
from bench.report.page import TracePage
from tests.bench.analyse.kineto.rules import allocation, document, gpu_events, rank_events, span, write

pytestmark = pytest.mark.rendered

HOSTILE = [
    "a|b",
    "</script><script>alert(1)</script>",
    "<b>",
    "`x`",
    "[x](http://evil.example)",
    "\x1b[2J",
    "../../etc",
]


@pytest.fixture
def gpu(tmp_path: Path) -> TracePage:
    return page.write([write(tmp_path / "gpu.pt.trace.json.gz", document(gpu_events()))], tmp_path / "out")


def headings(of: TracePage) -> list[str]:
    return re.findall(r"^#+ (.*)", of.path.read_text(), re.MULTILINE)


def test_the_page_of_one_trace_has_a_section_for_all_that_it_holds(gpu: TracePage) -> None:
    assert gpu.folder.name == "gpu"
    assert headings(gpu) == [
        "Trace gpu", "Steps", "Timeline", "Operators", "Kernels", "Memory", "What the trace does not hold", "Checks",
    ]  # fmt: skip
    text = gpu.path.read_text()
    assert "**gpu**: 2 steps of 100 \N{MICRO SIGN}s, 55 % of it kernel." in text
    assert "with_stack=True" in text
    assert "record_shapes" not in text
    assert {path.name for path in (gpu.folder / "tables").iterdir()} == {
        "steps.csv", "operators.csv", "operators_by_shapes.csv", "kernels.csv", "memory.csv", "memory_by_operator.csv",
    }  # fmt: skip
    assert list(pd.read_csv(gpu.folder / "tables" / "steps.csv").step_s) == [130e-6, 70e-6]


def test_every_total_is_shown_with_its_difference(gpu: TracePage) -> None:
    text = gpu.path.read_text()
    [passed, all_of_them] = map(int, re.findall(r"(\d+) of (\d+) checks passed", text)[0])

    assert passed == all_of_them == len(gpu.found[0].checks)
    assert re.search(r"\| time of kernel +\| us +\| +110\.000 \| +110\.000 \| +0\.000 \|", text)


def test_several_ranks_stand_side_by_side_and_each_by_itself(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"worker{rank}.json", document(rank_events(rank), distributedInfo={"rank": rank}))
        for rank in (0, 1, 2)
    ]
    several = page.write(paths, tmp_path / "out")

    assert several.folder.name == "worker0-and-2-more"
    assert headings(several)[:3] == ["Trace worker0-and-2-more", "Ranks", "rank 0"]
    assert "All of rank 2" in several.path.read_text()
    ranks = pd.read_csv(several.folder / "tables" / "ranks.csv")
    assert list((ranks.waiting_s * 1e6).round(3)) == [0, 20, 20]
    assert set(pd.read_csv(several.folder / "tables" / "operators.csv").trace) == {"rank 0", "rank 1", "rank 2"}


def test_a_truncated_trace_says_so_first(tmp_path: Path) -> None:
    text = json.dumps(document(gpu_events()))
    path = tmp_path / "cut.json"
    path.write_text(text[: text.index("Memset")])
    cut = page.write([path], tmp_path / "out").path.read_text()

    assert cut.index("The trace is cut short: 9 events could be read") < cut.index("## Steps")


def test_hostile_names_stay_text_and_never_name_a_path(tmp_path: Path) -> None:
    events = [span("cpu_op", name, 10 * at, 5, **{"Input Dims": [name]}) for at, name in enumerate(HOSTILE)]
    events += [span("kernel", f"k{name}", 10 * at, 5, 7, 0) for at, name in enumerate(HOSTILE)]
    events += [span("python_function", f"nn.Module: {name}", 200 + at, 0.5) for at, name in enumerate(HOSTILE)]
    events += [span("user_annotation", f"ProfilerStep#{name}", 300 + at, 0.5) for at, name in enumerate(HOSTILE)]
    events += [allocation(11, 5)]
    path = write(tmp_path / "..<b>`$(x)` .json", document(events, deviceProperties=[{"id": 0, "name": HOSTILE[1]}]))
    made = page.write([path], tmp_path / "out")
    html = (made.folder / "report.html").read_text()

    assert made.folder.parent == tmp_path / "out"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [made.folder.name]
    assert html.count("<script") == 2  # the page's own, and the timeline's data
    assert "<b>" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert "\x1b" not in made.path.read_text()
    assert "<a href" not in re.sub(r"<nav.*?</nav>", "", html, flags=re.DOTALL).replace('<a href="#', "")


def test_the_timeline_has_each_thread_of_the_first_steps(gpu: TracePage) -> None:
    [line] = [block for block in timeline.section(gpu.found[0], "").blocks if isinstance(block, Timeline)]
    by_name = {track.name: track.intervals for track in line.tracks}

    assert list(by_name) == ["0 7", "0 8", "100 1", "9 1"]
    assert [(i.start_us, i.duration_us, i.name, i.category) for i in by_name["0 8"]] == [
        (40, 30, "Memcpy HtoD", "memcpy"), (65, 10, "Memset", "memset"),
    ]  # fmt: skip
    assert "all steps" in line.words


def test_the_longest_events_are_kept_and_the_others_counted(gpu: TracePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_INTERVALS", 4)
    [line] = [block for block in timeline.section(gpu.found[0], "").blocks if isinstance(block, Timeline)]
    kept = [interval for track in line.tracks for interval in track.intervals]

    # Of the first step, 0 to 130: the profiler's own range, the two steps, and the first kernel.
    assert sorted(interval.duration_us for interval in kept) == [70, 100, 100, 210]
    assert "the first 1 of 2 steps" in line.words
    assert re.search(r"the \d+ shortest events of them had no room", line.words)


def test_a_timeline_in_html_is_data_that_ends_no_element() -> None:
    block = Timeline(
        [Track("</script>", [Interval(1.0004, 2, "<!--<script>", "kernel"), Interval(0, 9, "a", "b")])], "x"
    )
    text = drawn.text(block)
    [packed] = re.findall(r'<script type="application/json">(.*?)</script>', text)

    assert json.loads(packed) == {
        "names": ["<!--<script>", "a"],
        "categories": ["kernel", "b"],
        "tracks": [{"name": "</script>", "intervals": [[0, 9, 1, 1], [1.0, 2, 0, 0]]}],
    }
    assert "<" not in packed
    assert drawn.text(Timeline([Track("empty", [])], "x")) == ""
