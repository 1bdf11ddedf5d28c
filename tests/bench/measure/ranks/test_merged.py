"""One reply from those of all ranks: the slowest one's step, the sum of what they use, the mean of a step's parts."""

import pytest

from bench.core.exchange.messages import Reply
from bench.core.header import Counts, Items
from bench.measure.ranks.merged import merged
from bench.measure.samples import Samples
from tests.bench.measure.asking import values


def reply(wall_s: float, forward_s: float, faults: float, samples: int = 2) -> Reply:
    taken = Samples("steps")
    taken.add("first_step", 2 * wall_s)
    for index in range(samples):
        taken.add("wall", wall_s + index, index=index)
        taken.add("page_faults", faults, index=index)
        taken.add("wall", forward_s, phase="forward", index=index)
        taken.add("wall", forward_s, layer="conv", phase="forward", index=index)
    return Reply(
        samples=tuple(taken.rows), counts=Counts(plain=samples), items=Items(count=4, unit="images"), peak_bytes=100
    )


def test_a_step_is_the_slowest_rank_s_and_its_parts_are_means() -> None:
    whole = merged([reply(1.0, 0.5, 10), reply(3.0, 0.1, 20)])
    of_trial = [sample for sample in whole.samples if sample.rank is None]

    assert values(of_trial, "wall") == [3.0, 4.0]
    assert values(of_trial, "first_step", "process") == [6.0]
    assert values(of_trial, "page_faults") == [30.0, 30.0]
    assert values(of_trial, "wall", "phase", "forward") == pytest.approx([0.3, 0.3])
    assert [s.value for s in of_trial if s.layer] == pytest.approx([0.3, 0.3])


def test_a_step_s_work_and_memory_are_those_of_all_ranks() -> None:
    whole = merged([reply(1.0, 0.5, 10), reply(3.0, 0.1, 20)])

    assert whole.items == Items(count=8, unit="images")
    assert whole.peak_bytes == 200
    assert whole.counts == Counts(plain=2)


def test_each_rank_keeps_its_steps_phases_and_layers() -> None:
    whole = merged([reply(1.0, 0.5, 10), reply(3.0, 0.1, 20)])
    of_ranks = {rank: [s for s in whole.samples if s.rank == rank] for rank in (0, 1)}

    assert [values(own, "wall") for own in of_ranks.values()] == [[1.0, 2.0], [3.0, 4.0]]
    assert [values(own, "wall", "phase", "forward") for own in of_ranks.values()] == [[0.5, 0.5], [0.1, 0.1]]
    assert [[s.value for s in own if s.layer] for own in of_ranks.values()] == [[0.5, 0.5], [0.1, 0.1]]


def test_memory_is_the_sum_of_all_ranks() -> None:
    of_ranks = []
    for value in (100, 30):
        samples = Samples("memory")
        samples.add("process_peak", value)
        samples.add("saved", value / 10, layer="conv")
        of_ranks.append(Reply(samples=tuple(samples.rows)))
    whole = [sample.value for sample in merged(of_ranks).samples if sample.rank is None]

    assert whole == [130, 13]


def test_ranks_that_measured_different_things_are_no_trial() -> None:
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is shorter"):
        merged([reply(1.0, 0.5, 10, samples=3), reply(1.0, 0.5, 10)])
