"""Trials that are held against each other take the same steps, or identical code comes out slower."""

import numpy as np
import pytest

from bench.analyse.stats import as_ratio, shift_interval
from bench.analyse.verdicts import DELTA_CPU, SLOWER, verdict
from bench.core.header import Counts
from bench.core.variants import parse_id
from bench.plan.counts import evened

BASE = parse_id("cpu-default-nchw-eager-b32")
NHWC = parse_id("cpu-default-nhwc-eager-b32")
LOOP = parse_id("cpu-default-nchw-eager-b32-notebook-syncstep")
OTHER = parse_id("cpu-default-nchw-eager-b64")
SHORT = Counts(warmup=5, plain=10, iterations=10, stamped=9)
LONG = Counts(warmup=1, plain=3, iterations=1, stamped=2)


def made(*told: tuple[object, Counts, float]) -> dict[str, Counts]:
    variants = [variant for variant, _, _ in told]
    ids = [variant.id for variant in variants]  # type: ignore[attr-defined]
    counts = dict(zip(ids, [c for _, c, _ in told], strict=True))
    step_s = dict(zip(ids, [s for _, _, s in told], strict=True))
    return evened(variants, counts, step_s)  # type: ignore[arg-type]


def test_variants_of_one_baseline_take_the_same_samples_of_the_same_steps() -> None:
    found = made((BASE, SHORT, 0.01), (NHWC, LONG, 0.15), (OTHER, LONG, 0.2))

    assert found[BASE.id] == Counts(warmup=5, plain=3, iterations=10, stamped=2)
    assert found[NHWC.id] == Counts(warmup=1, plain=3, iterations=10, stamped=2)
    assert found[OTHER.id] == LONG  # another batch


def test_the_slowest_bounds_the_steps_of_a_sample_by_two_seconds() -> None:
    found = made((BASE, SHORT, 0.01), (LOOP, LONG, 0.6))

    assert [(c.plain, c.iterations, c.stamped) for c in found.values()] == [(3, 3, 2)] * 2


def test_a_slow_variant_takes_no_longer_for_all_its_samples_than_for_three_or_three_seconds() -> None:
    """Its samples last longer than it would have them, so there are fewer."""
    slow = Counts(warmup=1, plain=10, iterations=1, stamped=10)
    found = made((BASE, slow, 0.1), (NHWC, SHORT, 0.01))

    assert [(c.plain, c.iterations, c.stamped) for c in found.values()] == [(3, 10, 3)] * 2
    found = made((BASE, slow, 0.1), (NHWC, slow, 0.1))
    assert [(c.plain, c.iterations, c.stamped) for c in found.values()] == [(10, 1, 10)] * 2


def test_a_variant_of_one_plain_step_leaves_its_group_one_and_takes_no_stamped_ones() -> None:
    found = made((BASE, LONG, 3.0), (LOOP, Counts(plain=1), 9.0))

    assert [(c.plain, c.iterations, c.stamped) for c in found.values()] == [(1, 1, 2), (1, 1, 0)]


def test_whole_turns_of_workers_are_kept() -> None:
    workers = Counts(warmup=1, plain=3, iterations=4, stamped=2, turns=4)
    found = made((BASE, SHORT, 0.01), (LOOP, workers, 0.02))

    assert {c.iterations for c in found.values()} == {12}


def test_counts_that_are_even_stay_as_they_are() -> None:
    once = made((BASE, SHORT, 0.01), (NHWC, LONG, 0.15), (LOOP, LONG, 0.6))

    assert made((BASE, once[BASE.id], 0.01), (NHWC, once[NHWC.id], 0.15), (LOOP, once[LOOP.id], 0.6)) == once


VARIED = Counts(warmup=1, plain=40, iterations=1, stamped=40, varied=True)


def test_where_steps_differ_all_take_as_many_samples_as_the_variant_that_saw_it() -> None:
    found = made((BASE, VARIED, 0.1), (NHWC, LONG, 0.1), (OTHER, LONG, 0.1))

    assert found[NHWC.id] == found[BASE.id] == VARIED
    assert found[OTHER.id] == LONG  # another batch
    assert made((BASE, found[BASE.id], 0.1), (NHWC, found[NHWC.id], 0.1))[NHWC.id] == VARIED


def test_where_steps_differ_the_slowest_bounds_the_samples_by_twenty_seconds() -> None:
    found = made((BASE, VARIED, 0.1), (LOOP, LONG, 1.0))

    assert [(c.plain, c.iterations, c.stamped) for c in found.values()] == [(10, 1, 10)] * 2


def false_slower(base: Counts, other: Counts, rounds: int = 12, draws: int = 1000) -> float:
    """How often identical code is called SLOWER, where one step in ten takes half as long again."""
    rng = np.random.default_rng(0)

    def trials(counts: Counts) -> np.ndarray:
        shape = (draws, rounds, counts.plain, counts.iterations)
        steps = rng.normal(1, 0.01, shape) * np.where(rng.random(shape) < 0.1, 1.5, 1.0)
        medians: np.ndarray = np.median(steps.mean(axis=-1), axis=-1)
        return np.asarray(np.log(medians) + rng.normal(0, 0.01, shape[:2]))

    first, again, head = trials(base), trials(base), trials(other)
    words = [
        verdict(as_ratio(shift_interval(v, np.stack([a, b], axis=1))), rounds, DELTA_CPU)
        for a, b, v in zip(first, again, head, strict=True)
    ]
    return words.count(SLOWER) / draws


@pytest.mark.slow
def test_identical_code_is_not_called_slower_for_the_steps_it_takes() -> None:
    even = made((BASE, LONG, 0.15), (NHWC, SHORT, 0.01))

    assert false_slower(LONG, SHORT) > 0.05  # what uneven counts did
    assert false_slower(even[BASE.id], even[NHWC.id]) <= 0.002
