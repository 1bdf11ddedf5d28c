"""Which commits are measured, each once, in a clone that leaves the repository as it was. Nothing is timed."""

import subprocess
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from bench.core.exits import INTERRUPTED, USAGE
from bench.core.header import encoded
from bench.core.variants import UsageError
from bench.run.commits import chosen, measure


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b", *words],  # noqa: S607
                          check=True, capture_output=True, text=True)  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a repository of seven commits with a file each, the first of them tagged v1."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(7):
        (folder / "net.py").write_text(f"number = {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"change {number}")
    git(folder, "tag", "v1", "HEAD~6")
    (folder / "mytask.py").write_text("new = True\n")
    monkeypatch.chdir(folder)
    return folder


def subjects(commits: Sequence[str], repository: Path) -> list[str]:
    return [git(repository, "show", "-s", "--format=%s", commit) for commit in commits]


@pytest.mark.parametrize(
    ("span", "every", "numbers"),
    [("v1..main", 1, range(7)), ("v1..main", 3, (0, 3, 6)), ("v1..main", 4, (0, 4, 6)), ("main~2..", 1, (4, 5, 6)),
     ("v1..main", 99, (0, 6))],
)  # fmt: skip
def test_every_so_manieth_commit_is_chosen_and_both_ends(
    span: str, every: int, numbers: Sequence[int], repository: Path
) -> None:
    assert subjects(chosen.commits(span, every, repository), repository) == [f"change {n}" for n in numbers]


@pytest.mark.parametrize(
    "span", ["main", "..main", "v1...main", "v1..nowhere", "main..v1", "main..main", "--all..main"]
)
def test_what_is_no_span_of_commits_is_refused(span: str, repository: Path) -> None:
    with pytest.raises(UsageError, match="--commits"):
        chosen.commits(span, 1, repository)


class Calls:
    """Stands for `bench ab`: writes a complete run, and what the checkout held meanwhile."""

    def __init__(self, header: Callable[..., object]) -> None:
        self.header, self.seen, self.codes = header, dict[str, str](), dict[str, tuple[int, str]]()

    def __call__(self, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
        options = dict(pairwise(arguments))
        self.seen[options["--run-id"]] = (folder / "net.py").read_text() + str((folder / "mytask.py").exists())
        if options["--run-id"] in self.codes:
            return self.codes[options["--run-id"]]
        run = Path(options["--out"]) / options["--run-id"]
        run.mkdir(parents=True)
        made = self.header(status="complete")
        (run / "run.json").write_text(encoded(made))  # type: ignore[arg-type]
        return 0, ""


@pytest.fixture
def calls(make_header: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls(make_header)
    monkeypatch.setattr(measure, "_called", made)
    return made


def taken(commits: Sequence[str], tmp_path: Path, options: Sequence[str] = ()) -> list[measure.Failed]:
    return measure.measure(commits, options, tmp_path / "runs", tmp_path / "pages", lambda _: None)


def test_each_commit_is_measured_once_from_its_own_files(repository: Path, calls: Calls, tmp_path: Path) -> None:
    commits, before = chosen.commits("v1..main", 3, repository), git(repository, "status", "--porcelain", "--branch")

    assert taken(commits, tmp_path) == []
    assert calls.seen == {c[:12]: f"number = {n}\nFalse" for c, n in zip(commits, (0, 3, 6), strict=True)}
    calls.seen.clear()
    assert taken(chosen.commits("v1..main", 2, repository), tmp_path) == []
    # The ends were measured before; the commits 2 and 4 were not.
    assert sorted(calls.seen.values()) == ["number = 2\nFalse", "number = 4\nFalse"]
    assert git(repository, "status", "--porcelain", "--branch") == before
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize(("options", "is_there"), [(("--task", "mytask:make"), True), (("--task=mytask",), True), (
    ("--task", "mytask:make", "--task-from-each"), False)])  # fmt: skip
def test_a_task_of_the_calling_folder_is_every_commit_s(
    options: Sequence[str], is_there: bool, repository: Path, calls: Calls, tmp_path: Path
) -> None:
    taken(chosen.commits("v1..main", 6, repository), tmp_path, options)

    assert {text.splitlines()[1] for text in calls.seen.values()} == {str(is_there)}


def test_a_commit_that_fails_is_told_and_the_others_are_measured(
    repository: Path, calls: Calls, tmp_path: Path
) -> None:
    commits = chosen.commits("v1..main", 2, repository)
    calls.codes[commits[1][:12]] = 4, "base: no module named net"
    failed = taken(commits, tmp_path)

    assert [(one.name, one.reason) for one in failed] == [
        (commits[1][:12], "bench ab ended with 4: base: no module named net")
    ]
    assert len(calls.seen) == 4


def test_an_interrupt_or_a_wrong_option_ends_it(repository: Path, calls: Calls, tmp_path: Path) -> None:
    commits = chosen.commits("v1..main", 6, repository)
    calls.codes = {commit[:12]: (INTERRUPTED, "") for commit in commits}
    with pytest.raises(KeyboardInterrupt):
        taken(commits, tmp_path)
    calls.codes = {commit[:12]: (USAGE, "no such option") for commit in commits}
    with pytest.raises(UsageError, match="no such option"):
        taken(commits, tmp_path)


def test_calls_of_other_options_have_another_folder(tmp_path: Path) -> None:
    one, other = (measure.folder_for(["a" * 40], options, tmp_path) for options in (["--rounds", "3"], []))

    assert one != other
    assert one.parent == tmp_path
