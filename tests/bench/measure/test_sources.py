"""What comes from a tree, and what must not come from elsewhere; tried in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pathlib import Path
from bench.measure import sources
sources.put_first(Path({tree!r}))
import {module}
print({module}.WHERE, "|", sources.misplaced({model!r}, {tree!r}, {caller!r}))
"""


def asked(caller: Path, tree: Path, module: str, model: str) -> str:
    """What a process in the caller's folder says that measures a tree."""
    code = CODE.format(tree=str(tree), module=module, model=model, caller=str(caller))
    variables = {"PYTHONPATH": f"{caller}:{Path(__file__).parents[3]}", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=caller, env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The caller's folder and a tree, each with a module `ours`."""
    for name in ("caller", "tree"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ours.py").write_text(f"WHERE = {name!r}\n")
    return tmp_path / "caller", tmp_path / "tree"


def test_what_the_tree_has_comes_from_the_tree(folders: tuple[Path, Path]) -> None:
    assert asked(*folders, "ours", "ours:factory") == "tree |"


def test_a_source_folder_inside_the_tree_counts(folders: tuple[Path, Path]) -> None:
    caller, tree = folders
    (tree / "src").mkdir()
    (tree / "ours.py").rename(tree / "src" / "ours.py")

    assert asked(caller, tree, "ours", "ours:factory") == "tree |"


def test_a_model_that_the_tree_lacks_is_told(folders: tuple[Path, Path]) -> None:
    caller, tree = folders
    (tree / "ours.py").unlink()

    assert asked(caller, tree, "ours", "ours:factory") == "caller | ours was imported from outside the tree"


def test_a_helper_that_the_tree_lacks_is_told(folders: tuple[Path, Path]) -> None:
    caller, tree = folders
    (caller / "helper.py").write_text("")
    (tree / "ours.py").write_text("import helper\nWHERE = 'tree'\n")

    assert asked(caller, tree, "ours", "ours:factory").startswith("tree | helper was imported from the calling folder")


def test_a_package_without_a_file_of_its_own_may_lie_in_both(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        (folder / "nets").mkdir()
        (folder / "ours.py").rename(folder / "nets" / "net.py")

    assert asked(*folders, "nets.net", "nets.net:build") == "tree |"


def test_without_a_tree_anything_goes() -> None:
    from bench.measure import sources

    assert sources.misplaced("nin", None, None) == ""


def test_the_bench_that_measures_may_lie_in_the_calling_folder(folders: tuple[Path, Path]) -> None:
    """As where one calls from this very repository: its `bench` measures another tree's model."""
    _, tree = folders

    assert asked(Path(__file__).parents[3], tree, "ours", "ours:factory") == "tree |"


NIN = """
import sys
from pathlib import Path
import nin_bench
from bench.measure import sources
nin_bench.settle()
sources.put_first(Path({tree!r}))
import nin
print(nin.__file__)
"""


@pytest.mark.parametrize(
    ("files", "of_tree"),
    [(("nin/__init__.py", "nin/model.py"), True), (("nin.py",), False), (("nin/__init__.py",), False), ((), False)],
)
def test_nin_is_the_tree_s_if_the_tree_is_one_of_this_project(
    files: tuple[str, ...], of_tree: bool, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-P", "-c", NIN.format(tree=str(tmp_path))],
        cwd=tmp_path, env={"PYTHONPATH": str(root), "PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == str((tmp_path if of_tree else root) / "nin" / "__init__.py")
