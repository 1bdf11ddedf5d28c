"""The modules of a trace as a tree, by the calls that Python made or by TorchScript's chains."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analyse.kineto.links import Calls, Launched, at_host
from bench.analyse.kineto.operators import by_operator
from bench.analyse.kineto.reading.events import MODULE, UNKNOWN, Category, Events, Integers

Path = tuple[str, ...]
"""The names from the outermost module to this one."""
COLUMNS = ["path", "depth", "module", "calls", "host_self_s", "host_s", "device_self_s", "device_s"]
TIMES = COLUMNS[4:]
LINK = re.compile(r"(\w+)\(([^()]*)\)::\w+")
"""A link of TorchScript's chain: `conv1(Conv2d)::forward`."""
MOST_DEPTH = 100
"""Of a tree; what is called from deeper within stands at this depth."""
ITSELF = "SELF"
"""The name in a chain of a further method of the same module."""


@dataclass
class Node:
    """What is known of the module of a path."""

    calls: float = 0
    host_own: int = 0
    host: int = 0
    device_own: int = 0
    device: int = 0


def table(events: Events, operators: Calls, work: Launched) -> pd.DataFrame:
    """A row a module, in the order of the tree: a module comes before those within it. Empty if none are recorded.

    Columns: path (names joined by ` > `), depth, module, calls (NaN if not recorded), and seconds, each without the
    modules within it (own) and with them: on the host, and on the device of what was launched within. That is the
    forward pass: no trace says for which module autograd works.
    """
    by_python = of_python(events, operators, work)
    nodes = by_python or of_chains(events, operators, work)
    rows = [(" > ".join(path), len(path) - 1, path[-1], *vars(node).values()) for path, node in ordered(nodes)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    found[TIMES] = found[TIMES] / 1e9
    if not by_python:
        found["calls"] = np.nan
    return found


def ordered(nodes: dict[Path, Node]) -> list[tuple[Path, Node]]:
    """The nodes, each before those below it; of those below one node the first to be called first."""
    first = {path: number for number, path in enumerate(nodes)}
    return sorted(nodes.items(), key=lambda item: [first[item[0][: end + 1]] for end in range(len(item[0]))])


def of_python(events: Events, operators: Calls, work: Launched) -> dict[Path, Node]:
    """The modules that Python called, in the order of their first calls."""
    is_module = np.array([name.startswith(MODULE) for name in events.names], dtype=bool)
    python = events.of(Category.PYTHON)
    calls = Calls.of(events, python[is_module[events.name[python]]])
    if not len(calls.event):
        return {}
    on_device = device_ns(events, operators, work, calls)
    columns = [calls.own_ns, calls.end_ns - calls.begin_ns, on_device, calls.with_inner(on_device)]
    paths = paths_of(events, calls)
    nodes: dict[Path, Node] = {}
    for index in np.argsort(calls.begin_ns, kind="stable").tolist():
        host_own, host, device_own, device = (int(column[index]) for column in columns)
        node = nodes.setdefault(paths[index], Node())
        node.calls += 1
        node.host_own += host_own
        node.host += host
        node.device_own += device_own
        node.device += device
    return nodes


def paths_of(events: Events, calls: Calls) -> list[Path]:
    """The path of each call of a module."""
    paths: list[Path] = [()] * len(calls.event)
    names = [name.removeprefix(MODULE) for name in events.named(calls.event)]
    parent = calls.parent.tolist()
    for index in np.lexsort((-calls.end_ns, calls.begin_ns, calls.thread)).tolist():
        above = paths[parent[index]][:MOST_DEPTH] if parent[index] != UNKNOWN else ()
        paths[index] = (*above, names[index])
    return paths


def device_ns(events: Events, operators: Calls, work: Launched, calls: Calls) -> Integers:
    """Nanoseconds on the device of what was launched while each call was the innermost one."""
    known, threads, moments = at_host(events, operators, work)
    owner = calls.at(threads, moments)
    inside = owner != UNKNOWN
    return np.bincount(owner[inside], work.duration_ns[known][inside], len(calls.event)).astype(np.int64)


def of_chains(events: Events, operators: Calls, work: Launched) -> dict[Path, Node]:
    """The modules that operators name as the chain that called them; how often each was called is not recorded."""
    chains = events.hierarchy[operators.event]
    own, on_device = operators.own_ns, by_operator(work, len(operators.event))
    nodes: dict[Path, Node] = {}
    for number, chain in enumerate(events.hierarchies):
        path, mine = path_of(chain), chains == number
        host, device = int(own[mine].sum()), int(on_device[mine].sum())
        for end in range(1, len(path) + 1):
            node = nodes.setdefault(path[:end], Node())
            node.host += host
            node.device += device
            node.host_own += host if end == len(path) else 0
            node.device_own += device if end == len(path) else 0
    return nodes


def path_of(chain: str) -> Path:
    """The path of a chain such as `TOP(Net)::forward.conv1(Conv2d)::forward`."""
    links = [(name, kind) for name, kind in LINK.findall(chain) if name != ITSELF]
    return tuple(f"{name} ({kind})" for name, kind in links) or (chain,)
