"""What a child reports of the machine and its software, as the parent never loads torch; and what can't run here."""

from collections.abc import Iterable
from pathlib import Path

from bench.core import home
from bench.core.axes.place import Machine
from bench.core.exchange.messages import Describe
from bench.core.facts import Environment
from bench.core.variants import UsageError, Variant
from bench.plan import schedule
from bench.plan.matrix import Entry, excluded_reason
from bench.process import child
from bench.run.prepare.dry import ASK_LIMIT_S
from nin.cgroup import limits


def environment() -> Environment:
    """The machine and its software, as a process with torch describes them.

    Raises UsageError if torch can't be used, or no temporary file can be written.
    """
    home.temporary()
    variables = child.environment_of(Variant(), {}, Path())
    limit_s = ASK_LIMIT_S * schedule.patience(limits().cpu_quota)
    reply = child.ask(Describe(), variables, limit_s)
    if reply.environment is None:
        msg = f"torch can't be used here: {reply.reason}"
        raise UsageError(msg)
    return reply.environment


def exclusions(entries: Iterable[Entry], here: Machine) -> dict[str, str]:
    """Why each variant can't run here, by id; empty if it can."""
    return {entry.variant.id: excluded_reason(entry.variant, here) for entry in entries}
