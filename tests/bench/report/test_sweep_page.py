"""The page of `bench sweep`, from runs whose nodes differ by known factors."""

import csv
import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from bench.analyse.sweep import found
from bench.analyse.sweep.gather import gather
from bench.core.sweep.record import Asked, Attempt, Job, Sweep
from bench.core.sweep.status import Cause, Status
from bench.report.page import SweepPage
from bench.report.sides import sweep_page, sweep_words

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
THEN, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 6, tzinfo=UTC)
MakeRun = Callable[..., Path]
HOSTILE = "<script>alert(1)</script>|`x`\x1b[2J"


class Maker:
    """Makes sweeps whose runs take known times."""

    def __init__(self, make_run: MakeRun, folder: Path) -> None:
        self.make_run, self.folder = make_run, folder / "sweeps" / "s"
        self.jobs: list[Job] = []

    def job(
        self, node: str | None, slower: float = 1.0, gain: float = 1.25, *, noise: float = 0.004,
        lost: Sequence[Mapping[str, Any]] = (), complete: bool = True, environment: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Adds a job on a node whose steps take `slower` times 1 s, on which `kept` is `gain` times as fast."""
        number = len(self.jobs) + 1
        lost_ones = [
            Attempt(number=n, job_id=str(n), status=Status.LOST, submitted_at=THEN, ended_at=LATER, **how)
            for n, how in enumerate(lost, start=1)
        ]
        job = Job(name=f"job-{number}", attempts=lost_ones)
        if complete:
            ok = Attempt(
                number=len(lost) + 1, job_id="9", node=node, status=Status.OK, exit_code=0, submitted_at=THEN,
                ended_at=LATER,
            )  # fmt: skip
            job = Job(name=job.name, attempts=[*lost_ones, ok])
            swing = [1.0, *(math.exp(noise * sign) for sign in (-1, 1, -1, 1))]
            steps = {
                (BASE, "A"): [slower * s for s in swing], (BASE, "A'"): [slower * s for s in swing],
                (KEPT, "V"): [slower / s / gain for s in swing],
            }  # fmt: skip
            made = self.make_run(steps, name=f"{number}", environment=dict(environment or {}))
            shutil.move(made, job.folder(self.folder) / job.run_of(ok))
        self.jobs.append(job)

    def sweep(self, options: Sequence[str] = ("--rounds", "4")) -> Sweep:
        return Sweep(
            sweep_id="s", command="nin-bench sweep --cluster slurm", by_nox=False, started_at=THEN, jobs=self.jobs,
            asked=Asked(cluster="slurm", jobs=len(self.jobs), options=list(options)),
        )  # fmt: skip

    def page(self) -> SweepPage:
        return sweep_page.write(self.sweep(), self.folder, self.folder.parents[1] / "reports")


@pytest.fixture
def maker(make_run: MakeRun, tmp_path: Path) -> Maker:
    return Maker(make_run, tmp_path)


def six(maker: Maker) -> None:
    """Six nodes: the third takes 20 % longer, and its job died twice before."""
    for number in range(1, 7):
        lost = [{"node": "n9", "cause": Cause.KILLED, "last_line": "round 2"}] * 2 if number == 3 else []
        maker.job(f"n{number}", 1.2 if number == 3 else 1 + 0.01 * number, 1.25 + 0.01 * number, lost=lost)


def test_the_page_answers_first(maker: Maker) -> None:
    six(maker)
    text = maker.page().path.read_text()
    lead = text.partition("\n## ")[0]

    assert text.startswith("# Sweep of 6 jobs, complete: 1.28 times as fast with kept\n")
    assert re.search(r"Fastest over 6 nodes: \*\*kept\*\*, 1\.28\d \[1\.2\d+, 1\.3\d+\] times as fast", lead)
    assert re.search(r"The nodes differ by [\d.]+ \[[\d.]+, [\d.]+\] % \(standard deviation", lead)
    assert "Farthest from the median is `n3`, which takes 15 % longer." in lead
    assert "Complete: 6 of 6 jobs have a complete run. More than one attempt: job-3 (killed 2 times)." in lead
    for heading in ("Variants over nodes", "Run by run", "Jobs", "How it was combined", "Again"):
        assert f"\n## {heading}\n" in text
    assert "job-3, attempt 1 on `n9`: killed. Its last line: `round 2`" in text


def test_the_numbers_are_those_of_the_nodes(maker: Maker) -> None:
    six(maker)
    [group] = found.groups(gather(maker.sweep(), maker.folder))
    base, kept = group.variants
    seconds = np.log(np.array([1.01, 1.02, 1.2, 1.04, 1.05, 1.06]) / 32)
    gains = np.log([1.26, 1.27, 1.28, 1.29, 1.30, 1.31])

    # Four rounds at -0.4, 0.4, -0.4 and 0.4 %: their variance is 4 * 0.004**2 / 3.
    assert base.log_s.within == pytest.approx(math.sqrt(4 * 0.004**2 / 3 / 4), rel=1e-6)
    assert base.log_s.mean.estimate == pytest.approx(seconds.mean())
    assert base.log_s.between.estimate**2 == pytest.approx(seconds.var(ddof=1) - base.log_s.within**2, rel=1e-6)
    assert kept.gain.estimate == pytest.approx(math.exp(gains.mean()))
    # Between nodes the ratio varies by 1.5 %; Student's t of 5 degrees of freedom is 2.5706.
    assert kept.log_gain.mean.hi - gains.mean() == pytest.approx(2.570582 * gains.std(ddof=1) / math.sqrt(6), rel=1e-6)
    assert group.fastest is kept


def test_what_is_missing_is_said_with_its_cause(maker: Maker) -> None:
    for number in range(4):
        maker.job(f"n{number}", 1 + 0.01 * number)
    maker.job(None, complete=False, lost=[{"node": "n7", "cause": Cause.TIMEOUT}] * 3)
    maker.job(None, complete=False)
    maker.job("n4", lost=[{"cause": Cause.INTERRUPTED}, {"cause": Cause.KILLED}])
    text = maker.page().path.read_text()

    assert text.startswith("# Sweep of 7 jobs, 5 complete: ")
    assert (
        "**5 of 7 jobs have a complete run.** Missing: job-5 (lost: its time limit on `n7`, 3 attempts); job-6 pending."
        " More than one attempt: job-7 (the sweep was interrupted, killed)." in text
    )
    assert "**These intervals rest on 5 nodes.**" in text


def test_runs_of_one_node_are_blocks_of_their_own_and_the_page_says_so(maker: Maker) -> None:
    for number in range(3):
        maker.job("n1", 1 + 0.02 * number)
    text = maker.page().path.read_text()

    assert "Fastest over 3 runs" in text
    assert "shared this machine" not in text
    assert "All ran on one node, so this is what differs between runs of that node." in text
    assert "*Between runs* is the standard deviation between the runs' true values" in text
    assert "over those of the median run." in text
    assert not re.search("between nodes|nodes differ|a dot a node", text, re.IGNORECASE)


@pytest.mark.parametrize(
    ("slower", "told"), [(1.49, "49 % longer"), (2.68, "2.68 times as long"), (0.4, "0.400 times as long")]
)
def test_a_difference_above_50_percent_is_a_ratio(maker: Maker, slower: float, told: str) -> None:
    for number, factor in enumerate((1.0, 1.0, slower), start=1):
        maker.job(f"n{number}", factor)

    assert f"Farthest from the median is `n3`, which takes {told}." in maker.page().path.read_text()


def test_what_is_beside_the_median_is_named(maker: Maker) -> None:
    six(maker)
    page = maker.page()

    assert "*Beside the median*: the seconds of baseline over those of the median node." in page.path.read_text()
    [group] = page.groups
    without = replace(group, variants=group.variants[1:])
    assert "the seconds of kept (there is no baseline) over those" in sweep_words.beside_words(page.gathered, [without])


def test_two_runs_of_a_node_count_once(maker: Maker) -> None:
    for node, slower in (("n1", 1.0), ("n1", 1.04), ("n2", 1.1)):
        maker.job(node, slower)
    [group] = found.groups(gather(maker.sweep(), maker.folder))

    assert group.blocks == ("n1", "n2")
    # Not quite the plain mean: a node with two runs is known a little better.
    assert group.variants[0].log_s.mean.estimate == pytest.approx(
        (np.log(1.04) / 2 + np.log(1.1)) / 2 - np.log(32), abs=1e-4
    )


def test_nodes_of_another_kind_are_a_group_of_their_own(maker: Maker) -> None:
    for number in range(3):
        maker.job(f"n{number}", 1 + 0.01 * number)
    maker.job("old", 3.0, environment={"cpu": "Older CPU"})
    text = maker.page().path.read_text()

    assert "**These nodes are not all alike, so they are combined in 2 groups.** They differ in cpu." in text
    assert "cpu, Made-up CPU: Fastest over 3 nodes" in text
    assert "cpu, Older CPU: Fastest over 1 node: **kept**, 1.250 times as fast" in text


def test_a_variant_that_some_nodes_lack_is_not_the_fastest(maker: Maker, make_run: MakeRun) -> None:
    for number in range(3):
        maker.job(f"n{number}")
    other = "cpu-default-nhwc-eager-b32"
    run = maker.jobs[0].folder(maker.folder) / "job-1-attempt-1"
    shutil.rmtree(run)
    steps = {(BASE, "A"): [1.0] * 4, (BASE, "A'"): [1.0] * 4, (KEPT, "V"): [0.8] * 4, (other, "V"): [0.5] * 4}
    shutil.move(make_run(steps, name="again"), run)
    [group] = found.groups(gather(maker.sweep(), maker.folder))

    assert group.fastest is not None
    assert group.fastest.variant_id == KEPT
    assert {over.variant_id: over.log_gain.blocks for over in group.variants} == {BASE: 0, KEPT: 3, other: 1}


def test_a_damaged_run_is_left_out_with_its_reason(maker: Maker) -> None:
    six(maker)
    (maker.folder / "job-2" / "job-2-attempt-1" / "trials.csv").write_text("colour\nred\n")
    text = maker.page().path.read_text()

    assert "Fastest over 5 nodes" in text
    assert re.search(r"job-2's run can't be used: .*trials\.csv", text)


def test_a_sweep_without_a_run_has_a_page(maker: Maker) -> None:
    maker.job(None, complete=False, lost=[{"cause": Cause.NOT_SUBMITTED, "last_line": "no such partition"}])
    page = maker.page()

    assert "No run has a complete round of any variant" in page.path.read_text()
    assert page.gathered.runs == []


def test_texts_of_files_do_nothing_but_show(maker: Maker) -> None:
    for number in range(2):
        maker.job(f"n{number}", environment={"cpu": HOSTILE}, lost=[{"cause": Cause.INCOMPLETE, "last_line": HOSTILE}])
    sweep = maker.sweep(options=[HOSTILE])
    page = sweep_page.write(sweep, maker.folder, maker.folder.parents[1] / "reports")
    html = (page.folder / "report.html").read_text()

    assert "<script>" not in re.sub(r"`+[^`]*`+", "", page.path.read_text())
    assert "<script>alert" not in html
    assert "\x1b" not in page.path.read_text() + html


def test_the_tables_have_every_node_and_attempt(maker: Maker) -> None:
    six(maker)
    page = maker.page()

    def rows(name: str) -> list[dict[str, str]]:
        with (page.folder / "tables" / f"{name}.csv").open() as file:
            return list(csv.DictReader(file))

    assert [len(rows(name)) for name in ("variants", "nodes", "jobs")] == [2, 12, 8]
    assert {row["cause"] for row in rows("jobs")} == {"", "killed"}
    assert rows("variants")[1]["ratio"].startswith("1.28")


@pytest.mark.rendered
def test_the_figure_has_a_dot_a_node_and_the_interval(maker: Maker) -> None:
    six(maker)
    [figure] = maker.page().document.figures
    [axes] = figure.draw().axes
    [dots] = [c for c in axes.collections if isinstance(c, PathCollection)]

    assert np.asarray(dots.get_offsets())[:, 0] == pytest.approx([1.26, 1.27, 1.28, 1.29, 1.30, 1.31])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["kept"]
