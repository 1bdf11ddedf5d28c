"""The files of a page: each module here is a format, with a function `write(document, folder)`."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bench.report.document import Document


def write(document: Document, folder: Path) -> None:
    """Write a page into its folder in every format, in the order of the modules' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        written: Callable[[Document, Path], None] = import_module(f"{__name__}.{module.name}").write
        written(document, folder)
