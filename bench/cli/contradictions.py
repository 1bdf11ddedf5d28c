"""Which options of a call contradict each other, and which need another: one table for the check and its test."""

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from bench.core.variants import UsageError

WITH_RESUME = frozenset(
    {"--budget", "--rounds", "--out", "--reports", "--data", "--download", "--model", "--task", "--axis",
     "--allow-changed", "--strict", "--cluster", "--nodes", "--jobs", "--workers", "--attempts", "--partition",
     "--constraint", "--nodelist", "--timeout", "--gpus", "--slurm", "OPTIONS"}
)  # fmt: skip
"""The options that --resume allows; the run keeps all others from its start."""
WITH_RUN = frozenset(
    {"--variant", "--steps", "--model", "--task", "--data", "--download", "--out", "--reports", "--port"}
)
"""The options that a stored run allows; it keeps all others from its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one option forbids and needs."""

    option: str
    never: frozenset[str] = frozenset()
    """Options that can't stand beside it."""
    only: frozenset[str] | None = None
    """The only options that can stand beside it; None allows any."""
    needs: frozenset[str] = frozenset()
    """Options of which the call must have one; empty needs none."""
    why: str
    """The reason, in the words of the message."""


RULES = (
    Rule(option="--variant", never=frozenset({"--preset", "--axis"}), why="an id names a whole variant"),
    Rule(option="--resume", only=WITH_RESUME, why="a run keeps its options from its start"),
    Rule(option="--allow-changed", needs=frozenset({"--resume"}), why="a new run has nothing to differ from"),
    Rule(option="--classes", needs=frozenset({"--input"}), why="Fashion-MNIST has 10"),
    Rule(option="--input", never=frozenset({"--data", "--download"}), why="random images replace the data"),
    Rule(
        option="--task",
        never=frozenset({"--model", "--input", "--classes", "--data", "--download"}),
        why="a task makes its own model and batches",
    ),
    Rule(option="--task-from-each", needs=frozenset({"--task"}), why="each tree has its own models in any case"),
    Rule(option="--nodes", never=frozenset({"--jobs"}), why="both say how many jobs there are"),
    Rule(option="--every", needs=frozenset({"--commits"}), why="stored runs are all taken"),
    Rule(
        option="--commits", never=frozenset({"--no-canary"}), why="commits are measured beside the first, without one"
    ),
    Rule(option="--data", never=frozenset({"--download"}), why="data is not downloaded to a named folder"),
    Rule(option="RUN", only=WITH_RUN, why="a stored run keeps its options from its start"),
)


def refuse(context: typer.Context) -> None:
    """Check the options of a call. Raises UsageError if two contradict each other, or one lacks what it needs."""
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
    """The given options that can't stand beside the option of a rule."""
    others = [name for name in given if name != rule.option]
    return [name for name in others if name in rule.never or (rule.only is not None and name not in rule.only)]


def contradicted(option: str, given: Sequence[str]) -> bool:
    """Whether an option can't stand beside one of those given."""
    return any(
        (rule.option == option and contradicting(rule, given))
        or (rule.option in given and contradicting(rule, [option]))
        for rule in RULES
    )


def given_options(context: typer.Context) -> list[str]:
    """The names of the options and arguments on the command line, in the order of the help."""
    return [
        name_of(parameter)
        for parameter in context.command.params
        if getattr(context.get_parameter_source(str(parameter.name)), "name", "") == "COMMANDLINE"
    ]


def name_of(parameter: object) -> str:
    """The name of an option as it is typed, of an argument as the help shows it."""
    options = [name for name in getattr(parameter, "opts", []) if name.startswith("--")]
    return options[0] if options else str(getattr(parameter, "name", "")).upper()
