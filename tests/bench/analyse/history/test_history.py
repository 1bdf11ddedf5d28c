"""Histories of real stored runs, copied and altered."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.analyse.history.changes import Why, changes_frame, points_frame
from bench.analyse.history.order import Order
from bench.analyse.history.series import Drift
from bench.core.records import RecordError
from bench.report.sides.history_page import of_folders
from tests.bench.stored_history import BASE, EXAMPLE, FAST, copied, history_in

RUNS, AT = 14, 8


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_in(tmp_path_factory.mktemp("stepped"), RUNS, AT)


def test_a_slowdown_is_called_at_its_run_with_the_commits_on_both_sides(stepped: Path, tmp_path: Path) -> None:
    history = of_folders([stepped], tmp_path)
    [change] = history.changes
    row = changes_frame(history).iloc[0]

    assert (change.series.variant_id, change.verdict, change.why) == (FAST, "SLOWER", Why.CALLED)
    assert (change.before.run.name, change.after.run.name) == ("r07", "r08")
    assert (row.commit_before, row.commit) == (f"{7:012x}", f"{8:012x}")
    assert change.ratio.lo < 1 / 1.08 < change.ratio.hi
    assert change.p < 0.05
    assert history.slower_now == [change]


def test_the_table_has_a_row_a_point_with_the_speed_of_the_stored_run(stepped: Path, tmp_path: Path) -> None:
    table = points_frame(of_folders([stepped], tmp_path, canary=False))
    of_fast = table[table.variant_id == FAST]

    assert list(of_fast.run) == [f"r{number:02d}" for number in range(RUNS)]
    # The example's README row: 164 images/s, at batch 32. A factor of 1 % scatters it.
    assert of_fast.items_per_s.iloc[:AT].median() == pytest.approx(164, rel=0.02)
    assert (of_fast.items_per_s_lo < of_fast.items_per_s).all()
    assert (of_fast.items_per_s < of_fast.items_per_s_hi).all()


def test_the_canary_takes_the_machine_out(tmp_path: Path) -> None:
    """A machine that is 12 % slower from a run on is no change of code, unless the canary is left in."""
    drift = [1.0] * 7 + [1.12] * 7
    folder = history_in(tmp_path / "runs", RUNS, RUNS, drift=drift)
    less, left = of_folders([folder], tmp_path), of_folders([folder], tmp_path, canary=False)

    assert less.changes == []
    assert {one.drift for one in less.series} == {Drift.CANARY}
    assert {(c.after.run.name, c.verdict) for c in left.changes} == {("r07", "SLOWER")}
    assert {one.drift for one in left.series} == {Drift.LEFT_IN}


def test_one_run_without_a_canary_leaves_the_drift_in_and_says_so(tmp_path: Path) -> None:
    folder = history_in(tmp_path / "runs", 3, 3)
    copied(folder / "r03", 3, canary=False)

    assert {one.drift for one in of_folders([folder], tmp_path).series} == {Drift.LACKING}


def test_another_machine_or_torch_is_a_series_of_its_own(tmp_path: Path) -> None:
    """Half of the runs are from a faster machine: no change is seen, however large the difference."""
    folder = tmp_path / "runs"
    for number in range(20):
        facts = {"torch": "2.15.0"} if number >= 10 else {}
        copied(folder / f"r{number:02d}", number, longer={BASE: 1 + 0.001 * (number % 3)} | (
            dict.fromkeys((BASE, FAST), 0.5) if number >= 10 else {}), environment=facts)  # fmt: skip
    history = of_folders([folder], tmp_path)

    assert history.changes == []
    of_base = [one for one in history.series if one.variant_id == BASE]
    assert [dict(one.setting)["torch"] for one in of_base] == ["2.15.0", "2.14.1+cu130"]
    assert [len(one.points) for one in of_base] == [10, 10]


@pytest.mark.parametrize(
    ("facts", "commit", "why"),
    [({"libc": "glibc 2.41"}, None, Why.ENVIRONMENT), ({}, "abcdef012345", Why.SAME_COMMIT)],
)
def test_a_change_that_is_no_change_of_code_is_not_called(
    facts: dict[str, str], commit: str | None, why: Why, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    for number in range(RUNS):
        after = number >= 7
        longer = {FAST: float(np.exp(rng.normal(0, 0.01))) * (1.1 if after else 1)}
        copied(tmp_path / "runs" / f"r{number:02d}", number, longer=longer, commit=commit,
               environment=facts if after else {})  # fmt: skip
    [change] = of_folders([tmp_path / "runs"], tmp_path).changes

    assert (change.verdict, change.why) == ("UNDECIDED", why)
    assert change.facts == tuple(facts)


def test_a_change_below_delta_is_shown_and_not_called(stepped: Path, tmp_path: Path) -> None:
    [change] = of_folders([stepped], tmp_path, delta=0.1).changes

    assert (change.verdict, change.why) == ("UNDECIDED", Why.SMALL)


def commit(repository: Path, subject: str) -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b", *words],  # noqa: S607
                              check=True, capture_output=True, text=True)  # fmt: skip
        return done.stdout.strip()

    if not (repository / ".git").exists():
        git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", subject)
    return git("rev-parse", "--short=12", "HEAD")


def test_runs_of_commits_of_this_repository_are_in_their_order_with_their_subjects(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    first, second, third = (commit(repository, f"change {i}") for i in range(3))
    for day, (name, of) in enumerate([("late", third), ("early", first), ("middle", second)]):
        copied(tmp_path / "runs" / name, day, commit=of)
    history = of_folders([tmp_path / "runs"], repository)

    assert history.order is Order.COMMITS
    assert [(run.name, run.subject) for run in history.runs] == [
        ("early", "change 0"), ("middle", "change 1"), ("late", "change 2"),
    ]  # fmt: skip
    elsewhere = of_folders([tmp_path / "runs"], tmp_path)
    assert elsewhere.order is Order.DATES
    assert [run.name for run in elsewhere.runs] == ["late", "early", "middle"]


@pytest.mark.parametrize("hostile", ["--upload-pack=touch x", "HEAD", "$(touch x)", "-n1", "../../x"])
def test_git_is_asked_for_no_text_of_a_file_that_is_no_commit(hostile: str, tmp_path: Path) -> None:
    commit(tmp_path, "a change")
    copied(tmp_path / "runs" / "a", 0, commit=hostile)
    history = of_folders([tmp_path / "runs"], tmp_path)

    assert history.order is Order.DATES
    assert history.runs[0].subject == ""


def test_a_damaged_run_is_left_out_of_a_folder_and_refused_by_name(tmp_path: Path) -> None:
    good, bad = (copied(tmp_path / "runs" / name, 0) for name in ("good", "bad"))
    (bad / "run.json").write_text("{")
    history = of_folders([tmp_path / "runs"], tmp_path)

    assert [run.name for run in history.runs] == ["good"]
    assert [out.name for out in history.left_out] == ["bad"]
    assert "damaged" in history.left_out[0].reason
    with pytest.raises(RecordError, match="damaged"):
        of_folders([good, bad], tmp_path)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no folder of runs"):
        of_folders([tmp_path], tmp_path)
    copied(tmp_path / "runs" / "bad", 0)
    (tmp_path / "runs" / "bad" / "run.json").write_text("{")
    with pytest.raises(RecordError, match="no run can be used"):
        of_folders([tmp_path / "runs"], tmp_path)


def test_the_stored_example_alone_has_series_and_no_verdict(tmp_path: Path) -> None:
    history = of_folders([EXAMPLE], tmp_path)

    assert (history.changes, history.tested) == ([], [])
    assert {one.variant_id for one in history.series} >= {BASE, FAST}
