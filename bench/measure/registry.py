"""Which probe has which name: each is a file of probes/, named as its member of `Probe`."""

from collections.abc import Iterable
from importlib import import_module

from bench.core.exchange.probe import Probe
from bench.measure import probes
from bench.measure.probe import First, Then

REGISTERED: dict[Probe, First | Then] = {}


def register(probe: First | Then) -> None:
    """Have a probe measure what its name stands for, in place of the one that did."""
    REGISTERED[probe.name] = probe


def probe_of(name: Probe) -> First | Then:
    """The probe of a name. Its file is imported here: a trial loads what it measures, and nothing else."""
    if name not in REGISTERED:
        register(import_module(f"{probes.__name__}.{name}").probe)
    return REGISTERED[name]


def in_order(names: Iterable[Probe]) -> tuple[First, list[Then]]:
    """The probe that comes first, and those that follow, in the order of `Probe`. ValueError unless one comes first."""
    chosen = [probe_of(name) for name in Probe if name in set(names)]
    first = [probe for probe in chosen if isinstance(probe, First)]
    if len(first) != 1:
        msg = f"a trial has one probe that comes first, found {len(first)}"
        raise ValueError(msg)
    return first[0], [probe for probe in chosen if isinstance(probe, Then)]
