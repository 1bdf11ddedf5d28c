"""Imported first by `python -m bench`: ends it with one line and exit code 4 where a declared package is missing."""

import sys
from importlib.util import find_spec

from bench.core.exits import NOTHING

PACKAGES = {
    "torch": "torch", "torchvision": "torchvision", "numpy": "numpy", "pandas": "pandas", "tabulate": "tabulate",
    "matplotlib": "matplotlib", "scipy": "scipy", "typer": "typer", "rich": "rich",
    "markdown-it-py": "markdown_it", "nvidia-ml-py": "pynvml", "msgspec": "msgspec",
}  # fmt: skip
"""Each package that pyproject.toml declares, and the module that it brings."""


def missing() -> list[str]:
    """The declared packages that this Python does not find; none is imported."""
    return [package for package, module in PACKAGES.items() if find_spec(module) is None]


if lacking := missing():
    sys.stderr.write(
        f"bench: {sys.executable} lacks {', '.join(lacking)}: `python3 -m pip install -e .`, called in the checkout, "
        "installs what bench needs\n"
    )
    raise SystemExit(NOTHING)
