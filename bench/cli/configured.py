"""The table [tool.nin-bench] of the pyproject.toml in the current folder: defaults of a user's own repository."""

import tomllib
from pathlib import Path

import typer

from bench.cli.contradictions import contradicted, given_options, name_of
from bench.core.text import shortened
from bench.core.variants import UsageError

FILE, TABLE = "pyproject.toml", "nin-bench"
KEYS = ("task", "preset", "budget", "device", "delta")
VERBS = {
    "run": KEYS,
    "list": ("task", "preset", "budget", "device"),
    "ab": ("task", "budget", "device", "delta"),
    "profile": ("task", "device"),
    "micro": ("task",),
    "check": ("task",),
}
"""Which of the keys each verb takes; the other verbs take none."""


def defaults(folder: Path) -> dict[str, dict[str, str]]:
    """The defaults of each verb's options by their parameters, as click's `default_map` has them.

    Raises UsageError if the file can't be read, or if the table has another key, or a value that is no text.
    """
    table = table_of(folder)
    if unknown := [key for key in table if key not in KEYS]:
        msg = f"{FILE}: [tool.{TABLE}] has no key {', '.join(map(shortened, unknown))}: it has {', '.join(KEYS)}"
        raise UsageError(msg)
    if wrong := [key for key, value in table.items() if not isinstance(value, str)]:
        msg = f"{FILE}: {wrong[0]} of [tool.{TABLE}] must be a text in quotes, as on the command line"
        raise UsageError(msg)
    return {verb: {key: str(table[key]) for key in keys if key in table} for verb, keys in VERBS.items()}


def table_of(folder: Path) -> dict[str, object]:
    """The table as it stands in the file; empty if there is no file, or no such table in it."""
    try:
        tools = tomllib.loads((folder / FILE).read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        msg = f"{FILE} can't be read: {shortened(str(error))}"
        raise UsageError(msg) from error
    table = tools.get(TABLE, {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        msg = f"{FILE}: tool.{TABLE} must be a table: [tool.{TABLE}]"
        raise UsageError(msg)
    return table


def added(context: typer.Context) -> tuple[str, ...]:
    """The options that the file adds to a call, as one would type them."""
    given = given_options(context)
    names = {str(p.name): name_of(p) for p in context.command.params if is_configured(context, str(p.name))}
    kept = {key: name for key, name in names.items() if not contradicted(name, given)}
    return tuple(word for key, name in kept.items() for word in (name, str(context.params[key])))


def unless_contradicted(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """The value of an option; None if it is the file's and the command line has an option that can't go with it."""
    name = name_of(parameter)
    gone = is_configured(context, str(parameter.name)) and contradicted(name, given_options(context))
    return None if gone else value


def is_configured(context: typer.Context, parameter: str) -> bool:
    """Whether a parameter has its value from the file."""
    return getattr(context.get_parameter_source(parameter), "name", "") == "DEFAULT_MAP"
