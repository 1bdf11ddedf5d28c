"""The probes by name. Each is a file of probes/, named after its member of `Probe`."""

from collections.abc import Iterable
from importlib import import_module

from bench.core.exchange.probe import Probe
from bench.measure import probes
from bench.measure.probe import First, Then

REGISTERED: dict[Probe, First | Then] = {}


def register(probe: First | Then) -> None:
    """Register a probe by its name, in place of the one before."""
    REGISTERED[probe.name] = probe


def probe_of(name: Probe) -> First | Then:
    """The probe of a name. Its file is imported here, so a trial loads only the probes that it runs."""
    if name not in REGISTERED:
        register(import_module(f"{probes.__name__}.{name}").probe)
    return REGISTERED[name]


def in_order(names: Iterable[Probe]) -> tuple[First, list[Then]]:
    """The probe that comes first, and the others in the order of `Probe`. Raises ValueError unless one comes first."""
    chosen = [probe_of(name) for name in Probe if name in set(names)]
    firsts = [probe for probe in chosen if isinstance(probe, First)]
    if len(firsts) != 1:
        msg = f"a trial has one probe that comes first, got {len(firsts)}"
        raise ValueError(msg)
    return firsts[0], [probe for probe in chosen if isinstance(probe, Then)]
