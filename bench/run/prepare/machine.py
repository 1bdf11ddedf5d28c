"""What a child reports of the machine and its software, as the parent never loads torch; and what can't run here."""

from collections.abc import Iterable
from pathlib import Path

from bench.core import home
from bench.core.axes.place import Machine
from bench.core.axes.world_size import ALONE, NOT_DIVIDED
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


def exclusions(entries: Iterable[Entry], here: Machine, *, of_task: bool) -> dict[str, str]:
    """Why each variant, of a task or not, can't run here, by id; empty if it can."""
    variants = [entry.variant for entry in entries]
    undivided = {v.id: NOT_DIVIDED if of_task and v.world_size > ALONE else "" for v in variants}
    return {variant.id: undivided[variant.id] or excluded_reason(variant, here) for variant in variants}
