"""Requests as the tests of trials make them, and what replies say."""

from collections.abc import Iterable

from bench.core.exchange.messages import Reply, Request, Sample
from bench.core.exchange.probe import from_text
from bench.core.header import Counts, Inputs, PilotCounts
from bench.core.variants import Variant, as_row


def request(
    probes: str = "steps+layers",
    shape: tuple[int, int, int] | None = (1, 28, 28),
    counts: Counts | None = None,
    pilot_counts: PilotCounts | None = None,
    memory_limit_bytes: int | None = None,
    **axes: object,
) -> Request:
    """A request for these probes of a small variant."""
    variant = Variant(**{"model": "tests_models:twice", "batch_size": 4} | axes)  # type: ignore[arg-type]
    return Request(
        variant=as_row(variant),
        inputs=Inputs(folder=None, shape=shape, classes=10),
        seed=0,
        probes=from_text(probes),
        counts=counts,
        pilot_counts=pilot_counts or PilotCounts(plain=2, stamped=1),
        memory_limit_bytes=memory_limit_bytes,
    )


def values(samples: Iterable[Sample], metric: str, scope: str = "step", phase: str = "") -> list[float]:
    """The values of a metric, but those of layers."""
    found = [sample for sample in samples if (sample.metric, sample.scope, sample.phase) == (metric, scope, phase)]
    return [sample.value for sample in found if not sample.layer]


def outcome(reply: Reply) -> tuple[str, str]:
    """Status and reason; only a reply that is ok has samples."""
    assert (reply.samples == ()) == (not reply.ok)
    return reply.status, reply.reason
