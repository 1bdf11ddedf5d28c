"""The work of each verb, a module a verb.

A module is loaded at its first use, so that `--help` does not wait for pandas and matplotlib.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.cli.verbs import (
        ab,
        asking,
        compare,
        export,
        fleet,
        gpu,
        history,
        micro,
        open,  # noqa: A004
        profile,
        report,
        run,
        sweep,
        tensorboard,
        trace,
    )

__all__ = [
    "ab",
    "asking",
    "compare",
    "export",
    "fleet",
    "gpu",
    "history",
    "micro",
    "open",
    "profile",
    "report",
    "run",
    "sweep",
    "tensorboard",
    "trace",
]


def __getattr__(name: str) -> ModuleType:
    """The module of a verb (PEP 562)."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return import_module(f"{__name__}.{name}")
