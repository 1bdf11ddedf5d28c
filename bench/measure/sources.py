"""From which code tree a trial takes `nin` and the model: `bench` is the caller's, the rest that of the tree."""

import sys
from pathlib import Path


def put_first(tree: Path) -> None:
    """Have everything that is imported from now on come from the tree, if it is there."""
    sys.path[:0] = [str(folder) for folder in (tree, tree / "src") if folder.is_dir()]


def misplaced(model: str, tree: str | None) -> str:
    """Why the tree is not what was measured, in words; empty where it is, or where there is no tree.

    What gives the model must lie in the tree: `nin`, or the module of `module:factory` unless it is
    torchvision's. Nothing but `bench` may come from the caller's folder, where it is another.
    """
    if tree is None:
        return ""
    root = Path(tree).resolve()
    module = model.partition(":")[0]
    wanted = "nin" if module.startswith("torchvision.") else module
    if not any(path.is_relative_to(root) for path in files_of(wanted)):
        return f"{wanted} was not found in the tree, but elsewhere"
    here, bench = Path.cwd().resolve(), Path(__file__).resolve().parents[1]
    if here.is_relative_to(root):
        return ""
    for name in sorted(sys.modules):
        for path in files_of(name):
            expected = path.is_relative_to(root) or path.is_relative_to(bench) or "site-packages" in path.parts
            if path.is_relative_to(here) and not expected:
                return f"{name} was imported from the calling folder, for want of one in the tree"
    return ""


def files_of(name: str) -> list[Path]:
    """Where an imported module lies: its file, or the folders of a package without one."""
    module = sys.modules.get(name)
    try:
        found = [Path(file)] if (file := getattr(module, "__file__", None)) else map(Path, module.__path__)  # type: ignore[union-attr]
        # torch has modules that answer to anything, with a file of no folder
        return [path.resolve() for path in found if path.is_absolute()]
    except (AttributeError, TypeError, KeyError):
        return []
