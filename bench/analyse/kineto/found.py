"""Everything that is found in one trace, and the names of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse.kineto import checks, kernels, links, memory, modules, operators, ranks
from bench.analyse.kineto import steps as stepping
from bench.analyse.kineto.checks import Check
from bench.analyse.kineto.memory import Curve
from bench.analyse.kineto.missing import Missing, missing
from bench.analyse.kineto.reading.events import Category, Trace, load
from bench.analyse.kineto.steps import Steps

ENDINGS = (".gz", ".json", ".trace", ".pt")
"""What torch appends to the name of a trace: `worker.pt.trace.json.gz`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is found in a trace; the modules of this folder explain the columns of the tables."""

    trace: Trace
    steps: Steps
    operators: pd.DataFrame
    by_shapes: pd.DataFrame
    """Empty if no shapes are recorded."""
    kernels: pd.DataFrame
    modules: pd.DataFrame
    curves: list[Curve]
    allocated: pd.DataFrame
    missing: list[Missing]
    checks: list[Check]


def of_file(path: Path) -> Found:
    """What is found in a file. Raises TraceError if it is no trace, OSError if it can't be read."""
    return of_trace(load(path))


def of_trace(trace: Trace) -> Found:
    """What is found in a trace."""
    events = trace.events
    calls = links.Calls.of(events, events.of(Category.OPERATOR))
    work = links.launched(events, calls)
    found_steps = stepping.steps(events, work)
    by_name = operators.table(events, calls, work)
    of_kernels = kernels.table(events, calls, work)
    allocated = memory.by_operator(events, calls)
    return Found(
        trace=trace,
        steps=found_steps,
        operators=by_name,
        by_shapes=operators.table(events, calls, work, by_shapes=True) if events.shapes else by_name.iloc[:0],
        kernels=of_kernels,
        modules=modules.table(events, calls, work),
        curves=memory.curves(events),
        allocated=allocated,
        missing=missing(trace),
        checks=[
            *checks.of_steps(trace, found_steps),
            *checks.of_operators(trace, by_name),
            *checks.of_kernels(trace, of_kernels),
            *checks.of_memory(trace, allocated),
        ],
    )


def across(found: Sequence[Found]) -> pd.DataFrame:
    """The table by rank: `ranks.table` of several traces."""
    return ranks.table(names([one.trace for one in found]), [(one.trace.events, one.steps) for one in found])


def names(traces: Sequence[Trace]) -> list[str]:
    """A different name for each trace: its rank if each has another one, else that of its file."""
    known = [trace.head.distributedInfo.rank if trace.head.distributedInfo else None for trace in traces]
    if len(traces) > 1 and None not in known and len(set(known)) == len(known):
        return [f"rank {rank}" for rank in known]
    plain = [stem(trace.path) for trace in traces]
    return [name if plain.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(plain, start=1)]


def stem(path: Path) -> str:
    """The name of a file without the endings that torch gives a trace."""
    name = path.name
    for ending in ENDINGS:
        name = name.removesuffix(ending) or name
    return name
