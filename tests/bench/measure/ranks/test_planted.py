"""Delays of known length, planted in a rank and in the network, are found where they belong."""

from pathlib import Path
from statistics import median

import pytest

from bench.core.exchange.messages import Reply
from tests.bench.measure.asking import values
from tests.bench.measure.ranks.asking import asked, of_rank
from tests.bench.measure.ranks.rank_models import SLEEP_S


def medians(reply: Reply, metric: str, *part: str) -> list[float]:
    """The median of a metric in each rank."""
    ranks = sorted({sample.rank for sample in reply.samples if sample.rank is not None})
    return [median(values(of_rank(reply.samples, rank), metric, *part)) for rank in ranks]


@pytest.mark.parametrize(("ranks", "parallel"), [(2, "ddp"), (4, "ddp"), (2, "fsdp")])
def test_a_rank_that_sleeps_keeps_the_others_waiting(ranks: int, parallel: str, tmp_path: Path) -> None:
    reply = asked("sleeps", tmp_path, ranks=ranks, parallel=parallel)
    assert reply.ok, reply.reason
    first, second, *others = medians(reply, "wall", "phase", "forward")
    skews = medians(reply, "skew")

    assert second - max(first, *others, 0.0) == pytest.approx(SLEEP_S, rel=0.05)
    assert [skew for rank, skew in enumerate(skews) if rank != 1] == pytest.approx([SLEEP_S] * (ranks - 1), rel=0.05)
    assert skews[1] < 0.05 * SLEEP_S


def test_communication_is_exposed_if_nothing_is_computed_beside_it(tmp_path: Path) -> None:
    reply = asked("exposed", tmp_path)
    assert reply.ok, reply.reason

    assert medians(reply, "wall", "phase", "communication") == pytest.approx([SLEEP_S] * 2, rel=0.05)
    assert medians(reply, "collective") == pytest.approx([SLEEP_S] * 2, rel=0.05)


def test_communication_is_hidden_behind_what_is_computed_meanwhile(tmp_path: Path) -> None:
    reply = asked("hidden", tmp_path)
    assert reply.ok, reply.reason

    assert max(medians(reply, "wall", "phase", "communication")) < 0.05 * SLEEP_S
    assert min(medians(reply, "collective")) > 0.95 * SLEEP_S
