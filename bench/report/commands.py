"""The commands that a page gives: by nox if nox started the run, else by the command that did."""

from typing import Protocol

from bench.core.exits import name_in

SESSIONS = {"run": "bench"}
"""The sessions of nox that are not named after their verb."""


class Begun(Protocol):
    """What was begun by a command: a run, or a sweep."""

    @property
    def command(self) -> str:
        """The command."""

    @property
    def by_nox(self) -> bool | None:
        """Whether nox called it; None if that is not recorded."""


def bench(run: Begun, verb: str, *arguments: str) -> str:
    """The call of a verb. A run that does not record how it was started counts as started by nox."""
    if run.by_nox is False:
        return " ".join([name_in(run.command), verb, *arguments])
    return " ".join(["nox -s", SESSIONS.get(verb, verb), *(["--", *arguments] if arguments else [])])


def nin(run: Begun, *arguments: str) -> str:
    """The call of `nin`, which trains."""
    python = "python" if run.by_nox is False else ".nox/env/bin/python"
    return " ".join([python, "-m nin", *arguments])
