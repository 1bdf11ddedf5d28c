"""`nin-bench`, and the start of every Python process that runs code of ours.

    python -P nin_bench.py MODULE ARGUMENT...

The folder in which it is called can replace no module: `bench` and `nin` come from the folder of this file, and the
calling folder is last on the path. What a user has there can be imported, after what is installed.

This file lies beside `bench`, under a name that nobody else uses, since a user's `bench.py` may be found before ours.
"""

import runpy
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

HOME = Path(__file__).parent
"""The folder of our packages: a checkout, or the folder of what is installed."""
OURS = ("bench", "nin")


def main() -> None:
    """The verbs of `bench`."""
    settle()
    from bench.__main__ import main as verbs  # noqa: PLC0415 - only now it is ours for sure

    verbs()


def start(module: str) -> None:
    """Runs a module as `python -m` does, with the arguments that follow its name."""
    settle()
    del sys.argv[0]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def settle() -> None:
    """Moves the calling folder to the end of the path, and loads our packages."""
    here = Path.cwd()
    if here != HOME.resolve():
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    sys.path += [folder for folder in dict.fromkeys((str(HOME), str(here))) if folder not in sys.path]
    for name in OURS:
        load(name)


def load(name: str) -> None:
    """Loads a package of ours unless it is loaded. Raises ModuleNotFoundError if it is not beside this file."""
    if name in sys.modules:
        return
    spec = PathFinder.find_spec(name, [str(HOME)])
    if spec is None or spec.loader is None:
        msg = f"No module named {name!r} in {HOME}"
        raise ModuleNotFoundError(msg, name=name)
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


if __name__ == "__main__":
    start(sys.argv[1])
