"""Ends `python -m bench` with one line and exit code 4 if a declared package is missing: it is imported first."""

import sys
from importlib.util import find_spec

from bench.core.exits import NOTHING

PACKAGES = {
    "torch": "torch", "torchvision": "torchvision", "numpy": "numpy", "pandas": "pandas", "tabulate": "tabulate",
    "matplotlib": "matplotlib", "scipy": "scipy", "typer": "typer", "rich": "rich",
    "markdown-it-py": "markdown_it", "jinja2": "jinja2", "nvidia-ml-py": "pynvml", "msgspec": "msgspec",
}  # fmt: skip
"""Each package that pyproject.toml declares, and the module that it brings."""


def missing() -> list[str]:
    """The declared packages that this Python lacks; none is imported."""
    return [package for package, module in PACKAGES.items() if find_spec(module) is None]


if lacking := missing():
    sys.stderr.write(
        f"bench: {sys.executable} lacks {', '.join(lacking)}: `python3 -m pip install -e .`, called in the checkout, "
        "installs what bench needs\n"
    )
    raise SystemExit(NOTHING)
