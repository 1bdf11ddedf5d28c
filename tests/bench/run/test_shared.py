"""The task that both trees of `ab` have from the calling folder."""

from pathlib import Path

import pytest

from bench.core.header import SharedTask
from bench.core.variants import UsageError
from bench.run.prepare.shared import share

Folders = tuple[Path, Path, Path]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """The calling folder with a task, and the trees: a base without it, and a head with a copy."""
    for name in ("here", "base", "head"):
        (tmp_path / name).mkdir()
    for name in ("here", "head"):
        (tmp_path / name / "mytask.py").write_text("import mynet\n")
    return tmp_path / "here", tmp_path / "base", tmp_path / "head"


def shared(task: str, folders: Folders) -> SharedTask | None:
    here, base, head = folders
    return share(task, here, {"base": base, "head": head})


@pytest.mark.parametrize("task", ["mytask:make", "mytask:", "mytask", "mytask:make[width=8]"])
def test_a_base_without_the_task_gets_it(task: str, folders: Folders) -> None:
    assert shared(task, folders) == SharedTask(file="mytask.py", replaced=False)
    assert (folders[1] / "mytask.py").read_text() == "import mynet\n"


def test_another_task_of_the_base_is_replaced_and_that_is_said(folders: Folders) -> None:
    (folders[1] / "mytask.py").write_text("import oldnet\n")

    assert shared("mytask:make", folders) == SharedTask(file="mytask.py", replaced=True)
    assert (folders[1] / "mytask.py").read_text() == "import mynet\n"


def test_the_same_task_in_both_is_none_that_is_replaced(folders: Folders) -> None:
    (folders[1] / "mytask.py").write_text("import mynet\n")

    assert shared("mytask:make", folders) == SharedTask(file="mytask.py", replaced=False)


def test_a_task_that_git_ignores_goes_to_both(folders: Folders) -> None:
    (folders[2] / "mytask.py").unlink()
    shared("mytask:make", folders)

    assert (folders[2] / "mytask.py").read_text() == "import mynet\n"


def test_of_a_package_only_its_own_file_is_copied(folders: Folders) -> None:
    here, base, _ = folders
    for root, text in ((here, "new"), (base, "old")):
        (root / "package").mkdir()
        (root / "package" / "__init__.py").write_text(f"# {text}\n")
        (root / "package" / "net.py").write_text(f"# {text}\n")

    assert shared("package:make", folders) == SharedTask(file="package/__init__.py", replaced=True)
    assert (base / "package" / "__init__.py").read_text() == "# new\n"
    assert (base / "package" / "net.py").read_text() == "# old\n"


def test_a_package_around_the_task_is_made_if_the_base_lacks_it_and_kept_if_it_has_it(folders: Folders) -> None:
    here, base, _ = folders
    (here / "src" / "package" / "tasks").mkdir(parents=True)
    for name in ("", "tasks/"):
        (here / "src" / "package" / name / "__init__.py").write_text("# new\n")
    (here / "src" / "package" / "tasks" / "small.py").write_text("# small\n")
    (base / "src" / "package").mkdir(parents=True)
    (base / "src" / "package" / "__init__.py").write_text("# old\n")

    assert shared("package.tasks.small:make", folders) == SharedTask(file="src/package/tasks/small.py", replaced=False)
    assert (base / "src" / "package" / "__init__.py").read_text() == "# old\n"
    assert (base / "src" / "package" / "tasks" / "__init__.py").read_text() == "# new\n"


def test_a_task_of_an_installed_package_is_nobody_s_to_share(folders: Folders) -> None:
    assert shared("examples.gpt:make", folders) is None
    assert not list(folders[1].iterdir())


def test_a_base_that_has_the_task_in_another_place_is_an_error_with_the_way_out(folders: Folders) -> None:
    (folders[1] / "mytask").mkdir()
    (folders[1] / "mytask" / "__init__.py").write_text("")
    with pytest.raises(UsageError, match=r"mytask.py here, and mytask/__init__.py in the base.*--task-from-each"):
        shared("mytask:make", folders)


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "precious.py").write_text("mine\n")
    (folders[1] / "mytask.py").symlink_to(tmp_path / "precious.py")
    shared("mytask:make", folders)

    assert (tmp_path / "precious.py").read_text() == "mine\n"
    assert not (folders[1] / "mytask.py").is_symlink()


def test_nothing_is_written_through_a_folder_that_is_a_link(folders: Folders, tmp_path: Path) -> None:
    for folder in (folders[0] / "tasks", tmp_path / "precious"):
        folder.mkdir()
        (folder / "small.py").write_text(f"{folder.name}\n")
    (folders[1] / "tasks").symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match="tasks is a link out of the tree"):
        shared("tasks.small:make", folders)

    assert (tmp_path / "precious" / "small.py").read_text() == "precious\n"
