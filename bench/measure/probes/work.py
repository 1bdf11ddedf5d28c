"""What each layer and phase of a step has to do, and what is alive when the step holds most memory."""

import traceback

import torch

from bench.core.exchange.probe import Probe
from bench.core.traces import BETWEEN, LAYERED, Owner
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.timing.layers import stamped
from bench.measure.work.alive import Alive, gradients_of, held_before
from bench.measure.work.counter import Counter, Work
from bench.measure.work.turns import Turns
from bench.measure.workload import Workload

END = "end"
"""What follows the step is none of its phases."""


def work_of(work: Workload) -> dict[Owner, Work]:
    """What each layer and phase has to do in one step."""
    counter = Counter()
    observe(work, counter)
    return counter.work()


def observe(work: Workload, turns: Turns) -> None:
    """Take one step in which every operator is seen as its layer's."""
    with turns, stamped(work.trainer.model, turns):  # type: ignore[arg-type] # it takes turns as a timeline does
        turns.begin("data")
        work.step(next(work.batches), mark=turns.begin)
        turns.begin(END)


def alive_at_peak(work: Workload) -> Samples:
    """The bytes that are alive when one step holds most, by layer and kind; and whose code ran then."""
    samples, model = Samples("work"), work.trainer.model
    alive = Alive(held_before(model, work.trainer.optimizer.state))
    observe(work, alive)
    layer, phase = alive.peak_owner
    samples.add("alive_peak", alive.peak, layer=layer or (BETWEEN if phase in LAYERED else ""), phase=phase)
    for (row, kind), size in alive.parts(gradients_of(model)).items():
        if size:
            samples.add("alive", size, layer=row or BETWEEN, phase=kind)
    return samples


def samples_of(by_owner: dict[Owner, Work]) -> Samples:
    """The work of each layer and phase; unknown operations are left out."""
    samples = Samples("work")
    for (layer, phase), done in by_owner.items():
        if phase == END:
            continue
        row = layer or (BETWEEN if phase in LAYERED else "")
        if done.flops is not None:
            samples.add("flops", done.flops, layer=row, phase=phase)
            samples.add("half_flops", done.half_flops, layer=row, phase=phase)
        samples.add("least_bytes", done.least_bytes, layer=row, phase=phase)
    return samples


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, the work of each layer and phase, and of a baseline what is alive at its peak.

    Nothing is added if the steps run in another thread, whose operators nobody sees, or if a tensor or an operator of
    the model can't be observed: the trial's other results stand.
    """
    if subject.work.runs_elsewhere:
        return so_far
    try:
        counted = samples_of(work_of(subject.work))
        alive = [alive_at_peak(subject.work)] if subject.work.variant.is_baseline else []
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever an unusual tensor does
        traceback.print_exc()
        return so_far
    return so_far.plus(counted, *alive)


probe = Then(name=Probe.WORK, measure=measure, once=True)
