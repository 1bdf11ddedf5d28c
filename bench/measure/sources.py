"""The code tree that a trial takes `nin` and the model from. `bench` is the caller's; the rest is the tree's."""

import sys
import sysconfig
from pathlib import Path


def put_first(tree: Path) -> None:
    """Let every later import take what the tree has from the tree; `nin` too, if the tree is one of this project."""
    sys.path[:0] = [str(folder) for folder in (tree, tree / "src") if folder.is_dir()]
    if (tree / "nin" / "model.py").is_file():  # and no other thing of this name
        sys.modules.pop("nin", None)  # loaded from beside `bench` when the process began


def misplaced(model: str, tree: str | None, caller: str | None) -> str:
    """Why the code that was measured is not the tree's, in words; empty if it is, or if there is no tree.

    What gives the model must lie in the tree: `nin`, or the module of `module:factory` unless it is
    torchvision's. Nothing but `bench` and what is installed may come from the caller's folder.
    """
    if tree is None or caller is None:
        return ""
    root, calling = Path(tree).resolve(), Path(caller).resolve()
    module = model.partition(":")[0]
    wanted = "nin" if module.startswith("torchvision.") else module
    if not any(path.is_relative_to(root) for path in files_of(wanted)):
        return f"{wanted} was imported from outside the tree"
    bench = Path(__file__).resolve().parents[1]
    expected = [root, bench, *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))]
    for name in sorted(sys.modules):
        for path in files_of(name):
            installed = {"site-packages", "dist-packages"} & set(path.parts)
            if path.is_relative_to(calling) and not installed and not any(map(path.is_relative_to, expected)):
                return f"{name} was imported from the calling folder, because the tree has none"
    return ""


def files_of(name: str) -> list[Path]:
    """The file of an imported module, or the first folder of a package without a file; empty if it is built in."""
    module = sys.modules.get(name)
    try:
        file = getattr(module, "__file__", None) or next(iter(module.__path__))  # type: ignore[union-attr]
        path = Path(file)
    except (AttributeError, TypeError, KeyError, StopIteration):
        return []
    return [path.resolve()] if path.is_absolute() else []  # torch has modules whose file has no folder
