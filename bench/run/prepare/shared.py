"""Gives both code trees of `ab` the task as it is in the calling folder: a task is often new, and the base lacks it."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from bench.core.header import SharedTask
from bench.core.variants import UsageError

SOURCES = ("", "src")
"""Where a tree has its modules, in the order in which a trial looks for them (measure/sources.py)."""


def share(task: str, here: Path, trees: Mapping[str, Path]) -> SharedTask | None:
    """Copies the task's own module from this folder to each tree. None if this folder has no such module.

    What the module imports stays the tree's own; only the `__init__.py` of packages that it lies in are copied too, if
    a tree has none. Raises UsageError if a tree has the module in another place, or reaches it by a link out of it.
    """
    own = file_of(here, task)
    if own is None:
        return None
    earlier = {name: read(root / own) for name, root in trees.items()}
    for name, root in trees.items():
        for file in (*packages(own, here, root), own):
            copy(file, here, root)
        if (other := file_of(root, task)) != own:
            msg = (
                f"--task {task}: it is {own} here, and {other} in the {name}: take each tree's own by --task-from-each"
            )
            raise UsageError(msg)
    now = read(here / own)
    return SharedTask(file=str(own), replaced=any(text not in (None, now) for text in earlier.values()))


def file_of(root: Path, task: str) -> Path | None:
    """The file of the task's module, relative to a folder; None if the folder has none."""
    name = task.partition("[")[0].partition(":")[0].replace(".", "/")
    places = (Path(source, name + ending) for source in SOURCES for ending in ("/__init__.py", ".py"))
    return next((place for place in places if (root / place).is_file()), None)


def packages(file: Path, here: Path, root: Path) -> list[Path]:
    """The `__init__.py` of each package around a module that this folder has and a tree lacks."""
    around = (folder / "__init__.py" for folder in file.parents if str(folder) not in (".", *SOURCES))
    return [init for init in around if (here / init).is_file() and not (root / init).exists()]


def copy(file: Path, here: Path, root: Path) -> None:
    """Copies a file to its place in a tree. Raises UsageError if a link would take it out of the tree."""
    target = root / file
    if not target.parent.resolve().is_relative_to(root.resolve()):
        msg = f"{file}: {file.parent} is a link out of the tree"
        raise UsageError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # it may be a link
    shutil.copyfile(here / file, target)


def read(file: Path) -> bytes | None:
    """The content of a file; None if there is no such file."""
    return file.read_bytes() if file.is_file() else None
