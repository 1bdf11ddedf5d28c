"""The page of `bench history`, its figure, and how the verb ends."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.records import RecordError
from bench.report.page import HistoryPage
from bench.report.sides import history_page
from tests.bench.stored_history import EXAMPLE, FAST, copied, history_in

pytestmark = pytest.mark.rendered

MakeRun = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_in(tmp_path_factory.mktemp("stored"), 14, 8)


@pytest.fixture(scope="module")
def page(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> HistoryPage:
    out = tmp_path_factory.mktemp("out")
    return history_page.write(history_page.of_folders([runs], out), [runs], out)


def test_the_page_says_what_changed_where_and_between_which_commits(page: HistoryPage) -> None:
    text = page.path.read_text()

    assert text.startswith("# History of 14 runs: 1 change called\n")
    assert re.search(
        r"- bf16 \+ nhwc \+ kept: \*\*SLOWER\*\*, 0\.9\d+ \[0\.\d+, 0\.9\d+\] times as fast from `r08` "
        r"\(commit `000000000008`\) on\. The run before is `r07` \(commit `000000000007`\)\.",
        text,
    )
    assert "14 runs from 2026-01-01 to 2026-01-14, by date" in text
    assert "at most" in text
    assert (page.folder / "tables" / "history.csv").is_file()
    assert (page.folder / "tables" / "changes.csv").read_text().count("\n") == 2


def test_the_figure_has_a_line_with_commit_and_per_cent_at_the_change(page: HistoryPage) -> None:
    [figure] = page.document.figures
    panels = figure.draw().axes
    labels = [[text.get_text() for text in axes.texts] for axes in panels]
    titles = [axes.get_title(loc="left") for axes in panels]

    assert titles[0] == "bf16 + nhwc + kept"
    assert re.fullmatch(r"00000000 -\d\.\d %", labels[0][0])
    assert all(not of_panel for of_panel in labels[1:])
    # The line stands between the runs 7 and 8, and there is a dot a run.
    assert [line.get_xdata()[0] for line in panels[0].lines] == [7.5]  # type: ignore[index]
    dots = [c for c in panels[0].collections if isinstance(c, PathCollection)]
    assert sum(len(np.asarray(c.get_offsets())) for c in dots) == 14
    assert (page.folder / "figures" / "history.png").is_file()


def test_a_history_that_is_too_short_says_so_and_gives_no_verdict(tmp_path: Path) -> None:
    written = history_page.write(history_page.of_folders([EXAMPLE], tmp_path), [EXAMPLE], tmp_path)
    text = written.path.read_text()

    assert "# History of 1 run: no change called" in text
    assert "of fewer than 10 even the clearest change may be chance, so this history has no verdicts" in text
    assert "SLOWER" not in text.partition("## How sure this is")[0]


def test_texts_of_files_do_nothing_but_show(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>|`x`\x1b[2J"
    for number in range(3):
        copied(tmp_path / "runs" / f"r{number}", number, commit=hostile, environment={"cpu": hostile, "libc": hostile})
    (bad := tmp_path / "runs" / "b<b>`|").mkdir()
    (bad / "run.json").write_text("{")
    written = history_page.write(history_page.of_folders([tmp_path / "runs"], tmp_path), [tmp_path / "runs"], tmp_path)
    text = written.path.read_text()

    assert "<script>" not in re.sub(r"`+[^`]*`+", "", text)
    assert "\x1b" not in text
    assert all(figure.png.startswith(b"\x89PNG") for figure in written.document.figures)


def call(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["history", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_verb_prints_changes_and_ends_with_1_only_if_asked(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    code, output = call(runs)
    assert (code, "SLOWER" in output, "report: reports/history-r00-to-r13/report.md" in output) == (0, True, True)
    assert call(runs, "--fail-on-slower")[0] == 1
    assert call(runs, "--fail-on-slower", "--delta", "0.2")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nothing",), 4, "nothing: no run, and no folder of runs"),
        (("a/a", "a/a"), 2, "named once"),
        ((), 2, "history needs stored runs, or --commits FIRST..LAST"),
        (("a", "--error", "2"), 2, "--error"),
    ],
)
def test_a_wrong_call_ends_with_a_line(
    words: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, output = call(*words)

    assert (ended, told in output) == (code, True), output


def test_runs_of_two_kinds_are_refused(make_run: MakeRun, make_ab: MakeRun, arms: Callable[..., object]) -> None:
    one = make_run({(FAST, "V"): [1.0] * 9}, name="one")
    other = make_ab(arms(9), name="other")

    with pytest.raises(RecordError, match="runs of one kind"):
        history_page.of_folders([one, other], one)
    both = history_page.of_folders([one.parent], one)
    assert ([run.name for run in both.runs], [out.name for out in both.left_out]) == (["one"], ["other"])


def test_runs_of_ab_against_one_base_are_a_history_of_ratios(make_ab: MakeRun, arms: Callable[..., object]) -> None:
    for number in range(12):
        made = make_ab(
            arms(9, 0.1 if number >= 6 else 0.0, seed=number), name=f"r{number:02d}", digests=("aaaa", f"b{number}")
        )
    history = history_page.of_folders([made.parent], made)
    [change] = history.changes

    assert (change.after.run.name, change.verdict) == ("r06", "SLOWER")
    assert change.ratio.lo < 1 / 1.1 < change.ratio.hi
    assert change.series.unit == "base"
