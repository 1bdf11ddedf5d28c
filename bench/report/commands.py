"""The commands that a page gives: by nox if nox started the run, else by the command that did."""

from bench.core.exits import name_in
from bench.core.header import Header

SESSIONS = {"run": "bench"}
"""The sessions of nox that are not named after their verb."""


def bench(run: Header, verb: str, *arguments: str) -> str:
    """The call of a verb. A run that does not record how it was started counts as started by nox."""
    if run.by_nox is False:
        return " ".join([name_in(run.command), verb, *arguments])
    return " ".join(["nox -s", SESSIONS.get(verb, verb), *(["--", *arguments] if arguments else [])])


def nin(run: Header, *arguments: str) -> str:
    """The call of `nin`, which trains."""
    python = "python" if run.by_nox is False else ".nox/env/bin/python"
    return " ".join([python, "-m nin", *arguments])
