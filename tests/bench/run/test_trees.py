"""The two trees of `ab`: a ref or a folder against the folder one calls from."""

import subprocess
from pathlib import Path

import pytest

from bench.core.variants import UsageError
from bench.machine.code import digest
from bench.run.prepare.trees import take


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit and, beyond it, a changed file, a new one, a deleted one and an ignored one."""
    folder = tmp_path / "repository"
    (folder / "package").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    for name, text in (("package/model.py", "old"), ("gone.py", "old"), (".gitignore", "ignored.py\n")):
        (folder / name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "package" / "model.py").write_text("new")
    (folder / "fresh.py").write_text("new")
    (folder / "ignored.py").write_text("new")
    (folder / "gone.py").unlink()
    monkeypatch.chdir(folder)
    return folder


def files(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*.py")}


@pytest.mark.parametrize("ref", ["main", "HEAD"])
def test_a_ref_is_the_folder_at_that_commit_and_the_head_is_what_stands_here(
    ref: str, repository: Path, tmp_path: Path
) -> None:
    told = take(ref, tmp_path / "copies")

    assert files(tmp_path / "copies" / "base") == {"package/model.py": "old", "gone.py": "old"}
    assert files(tmp_path / "copies" / "head") == {"package/model.py": "new", "fresh.py": "new"}
    assert told.base.name == ref
    assert told.head.commit == f"{told.base.commit}+"
    assert told.base.digest != told.head.digest
    assert (repository / "package" / "model.py").read_text() == "new"


def test_from_a_folder_inside_a_repository_that_folder_is_the_tree(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "package")
    take("main", tmp_path / "copies")

    assert files(tmp_path / "copies" / "base") == {"model.py": "old"}
    assert files(tmp_path / "copies" / "head") == {"model.py": "new"}


def test_a_folder_without_git_is_copied_as_it_is(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / ".venv").mkdir(parents=True)
    (other / "model.py").write_text("other")
    (other / ".venv" / "hidden.py").write_text("not code of ours")
    told = take(str(other), tmp_path / "copies")

    assert files(tmp_path / "copies" / "base") == {"model.py": "other"}
    assert told.base.commit is None
    monkeypatch.chdir(other)
    assert take(str(repository), tmp_path / "more").head.commit is None


def test_a_folder_that_git_ignores_is_copied_all_the_same(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitignore").write_text("old/\n")
    (repository / "old").mkdir()
    (repository / "old" / "model.py").write_text("old")
    take("old", tmp_path / "copies")

    assert files(tmp_path / "copies" / "base") == {"model.py": "old"}


def test_links_stay_links(repository: Path, tmp_path: Path) -> None:
    (repository / "also").symlink_to("package")
    (repository / "dangling.py").symlink_to("nowhere.py")
    take("main", tmp_path / "copies")

    assert (tmp_path / "copies" / "head" / "also" / "model.py").read_text() == "new"
    assert (tmp_path / "copies" / "head" / "also").is_symlink()


def test_a_link_out_of_the_folder_is_an_error_of_the_base(repository: Path, tmp_path: Path) -> None:
    (repository / "out.py").symlink_to("/etc/hostname")
    git(repository, "add", "out.py")
    git(repository, "commit", "-q", "-m", "second")
    with pytest.raises(UsageError, match="can't be copied"):
        take("HEAD", tmp_path / "copies")


def test_equal_code_has_equal_digests(repository: Path, tmp_path: Path) -> None:
    told = take(str(repository), tmp_path / "copies")

    assert told.base.digest == told.head.digest
    (tmp_path / "copies" / "head" / "fresh.py").write_text("newer")
    assert digest(tmp_path / "copies" / "head") != told.base.digest


@pytest.mark.parametrize("base", ["nowhere", "--help", "main:package", "0123456789abcdef0123456789abcdef01234567"])
@pytest.mark.usefixtures("repository")
def test_a_base_that_does_not_exist_is_an_error(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a commit, branch or tag"):
        take(base, tmp_path / "copies")


def test_a_folder_that_was_not_there_at_the_ref_is_an_error(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "later").mkdir()
    monkeypatch.chdir(repository / "later")
    with pytest.raises(UsageError, match="does not exist at"):
        take("main", tmp_path / "copies")


def test_a_repository_of_another_user_is_told_with_the_way_out(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own, for this
    with pytest.raises(UsageError) as caught:
        take("main", tmp_path / "copies")

    assert str(caught.value) == (
        "--base main: git reads no repository that belongs to another user; "
        f"allow it with: git config --global --add safe.directory {repository} (needs HOME)"
    )
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "model.py").write_text("old")
    told = take("../old", tmp_path / "of-a-folder")  # needs no git
    assert told.base.commit is None
    assert told.head.commit is None
