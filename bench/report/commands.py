"""Commands as a page gives them: by nox if nox began the run, else by python itself."""

from bench.core.header import Header

SESSIONS = {"run": "bench"}
"""The sessions of nox whose name is not the verb's."""


def bench(run: Header, verb: str, *arguments: str) -> str:
    """The call of a verb. A run that does not record how it began counts as one of nox."""
    if run.by_nox is False:
        return " ".join(["python -m bench", verb, *arguments])
    return " ".join(["nox -s", SESSIONS.get(verb, verb), *(["--", *arguments] if arguments else [])])


def nin(run: Header, *arguments: str) -> str:
    """The call that trains."""
    python = "python" if run.by_nox is False else ".nox/env/bin/python"
    return " ".join([python, "-m nin", *arguments])
