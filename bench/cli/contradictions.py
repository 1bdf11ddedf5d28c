"""Which options of a call can't stand together, and which need another: one table, read by the check and its test."""

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from bench.core.variants import UsageError

WITH_RESUME = frozenset(
    {"--budget", "--rounds", "--out", "--reports", "--data", "--download", "--model", "--axis", "--allow-changed",
     "--strict"}
)  # fmt: skip
"""What a run that is gone on with still takes; the other options stay as it was begun."""
WITH_RUN = frozenset({"--variant", "--steps", "--model", "--data", "--download", "--out", "--reports", "--port"})
"""What a run that is added to, reported or served still takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An option that can't go with some others, or can go with some alone; or needs one of some."""

    option: str
    never: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    needs: frozenset[str] = frozenset()
    why: str


RULES = (
    Rule(option="--variant", never=frozenset({"--preset", "--axis"}), why="an id names a whole variant"),
    Rule(option="--resume", only=WITH_RESUME, why="a run is gone on with as it was begun"),
    Rule(option="--allow-changed", needs=frozenset({"--resume"}), why="a new run has nothing to differ from"),
    Rule(option="--classes", needs=frozenset({"--input"}), why="Fashion-MNIST has 10"),
    Rule(option="--input", never=frozenset({"--data", "--download"}), why="random images take the data's place"),
    Rule(option="--data", never=frozenset({"--download"}), why="a folder that is named is not downloaded to"),
    Rule(option="RUN", only=WITH_RUN, why="a run that is there is added to as it was begun"),
)


def refuse(context: typer.Context) -> None:
    """UsageError where the options that a call gives contradict each other, with both names and the reason."""
    given = given_options(context)
    for rule in RULES:
        if rule.option not in given:
            continue
        if clash := contradicting(rule, given):
            msg = f"{rule.option} can't go with {', '.join(clash)}: {rule.why}"
            raise UsageError(msg)
        if rule.needs and not rule.needs & set(given):
            msg = f"{rule.option} needs {' or '.join(sorted(rule.needs))}: {rule.why}"
            raise UsageError(msg)


def contradicting(rule: Rule, given: Sequence[str]) -> list[str]:
    """Those of the given options that can't go with a rule's."""
    others = [name for name in given if name != rule.option]
    return [name for name in others if name in rule.never or (rule.only is not None and name not in rule.only)]


def given_options(context: typer.Context) -> list[str]:
    """The names of the options and arguments that the user of a call gave, in the order of the help."""
    return [
        name_of(parameter)
        for parameter in context.command.params
        if getattr(context.get_parameter_source(str(parameter.name)), "name", "") == "COMMANDLINE"
    ]


def name_of(parameter: object) -> str:
    """An option as it is typed, an argument as the help shows it."""
    options = [name for name in getattr(parameter, "opts", []) if name.startswith("--")]
    return options[0] if options else str(getattr(parameter, "name", "")).upper()
