"""The text of `bench roofs`: what a device can do at most, now and in earlier calls on the same machine and torch."""

import os
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct
from tabulate import tabulate

from bench.core import home
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.facts import Environment, Number, Word
from bench.core.header import Inputs
from bench.core.text import digest, visible
from bench.core.variants import UsageError, Variant, as_row
from bench.process import child
from bench.run.prepare.dry import ASK_LIMIT_S
from bench.run.prepare.machine import environment

FOLDER = "nin-bench"
METRICS = {"roof_flops": "GFLOP/s", "roof_bytes": "GB/s"}
GIGA = 1e9
MOST_KEPT = 50
"""Calls of one machine that are kept."""


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The roofs that one call measured, by metric and name."""

    at: datetime
    device: Word
    rates: dict[Word, dict[Word, Number]]


def roofs(device: str) -> str:
    """The roofs of a device, each beside the last call's. Raises UsageError if they can't be measured."""
    here = environment()
    reply = ask(device, here)
    now = Call(at=datetime.now(UTC), device=device, rates=rates_of(reply))
    kept = file_of(here, device)
    before = read(kept)
    write(kept, [*before, now][-MOST_KEPT:])
    last = before[-1] if before else None
    table = tabulate(rows(reply, last), headers="keys", colalign=("left", "right", "left", "right"))
    told = f"last call: {last.at:%Y-%m-%d %H:%M} UTC" if last else "there was no call before, on this machine and torch"
    return f"{table}\n{told}"


def ask(device: str, here: Environment) -> Reply:
    """The reply of a process that measures the roofs and nothing else. Raises UsageError if it fails."""
    variant = Variant(device=device)
    inputs = Inputs(folder=None, shape=None, classes=10, task=False)
    request = Request(variant=as_row(variant), inputs=inputs, seed=0, probes=(Probe.BUILD, Probe.ROOFS))
    reply = child.ask(request, child.environment_of(variant, here.libraries, Path()), ASK_LIMIT_S)
    if not reply.ok:
        raise UsageError(reply.reason)
    return reply


def rates_of(reply: Reply) -> dict[str, dict[str, float]]:
    """The median of each roof's samples."""
    samples: dict[str, dict[str, list[float]]] = {metric: {} for metric in METRICS}
    for sample in reply.samples:
        if sample.metric in METRICS:
            samples[sample.metric].setdefault(sample.phase, []).append(sample.value)
    return {metric: {name: median(values) for name, values in named.items()} for metric, named in samples.items()}


def rows(reply: Reply, last: Call | None) -> list[dict[str, str]]:
    """A row a roof: its rate, the least and the most of its samples, and the quotient to the last call's."""
    table = []
    for metric, named in rates_of(reply).items():
        for name, rate in named.items():
            values = [s.value / GIGA for s in reply.samples if (s.metric, s.phase) == (metric, name)]
            before = last.rates.get(metric, {}).get(name) if last else None
            table.append(
                {
                    "roof": name,
                    "most": f"{rate / GIGA:.3g} {METRICS[metric]}",
                    "samples": f"{min(values):.3g} to {max(values):.3g}",
                    "times the last call's": f"{rate / before:.3f}" if before else "",
                }
            )
    return table


def file_of(here: Environment, device: str) -> Path:
    """The file that keeps the calls for a device on this machine, with this torch."""
    gpus = [gpu.name for gpu in here.cuda_devices]
    gpus += [other.name for other in here.accelerators or ()]
    name = digest(repr((here.cpu, here.cores, gpus, here.torch, device)))[:16]
    own = home.home()
    base = os.environ.get("XDG_CACHE_HOME") or (str(own / ".cache") if own else str(home.private()))
    return Path(base) / FOLDER / f"roofs-{name}.json"


def read(file: Path) -> list[Call]:
    """The calls that a file keeps, the last one last; none if there is no such file, or if it is damaged."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Call])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []


def write(file: Path, calls: list[Call]) -> None:
    """Keep some calls. Raises UsageError if the file can't be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(calls))
    except OSError as error:
        msg = f"{visible(str(error.filename))}: {error.strerror}: set XDG_CACHE_HOME to a folder that can be written"
        raise UsageError(msg) from error
