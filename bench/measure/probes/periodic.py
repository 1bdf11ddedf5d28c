"""What a task does once in many steps: its seconds, which stand beside the step and are not part of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.validity.tryout import failing_as
from bench.measure.workload import Workload
from bench.tasks.periodic import periodic_of

MOST_CALLS = 3
MOST_S = 5.0
"""Calls of one kind begin for so long at most."""


def costs(work: Workload, clock: Clock) -> Samples:
    """Seconds of some calls of each kind, and once in how many steps it is called."""
    samples, model = Samples("periodic"), work.trainer.model
    for each in periodic_of(work.task, model, work.variant.model) if work.task else ():
        samples.add("periodic_steps", each.steps, phase=each.name)
        with modes_kept(model), failing_as(f"task {work.variant.model}: its periodic {each.name!r} fails"):
            for index, seconds in enumerate(calls_s(each.call, clock)):
                samples.add("periodic", seconds, phase=each.name, index=index)
    return samples


def calls_s(call: Callable[[], Any], clock: Clock) -> list[float]:
    """Seconds of some calls, each from an idle device until its work is done."""
    began, seconds = clock.host_s(), list[float]()
    while not seconds or (len(seconds) < MOST_CALLS and clock.host_s() - began < MOST_S):
        clock.sync()
        start = clock.host_s()
        call()
        clock.sync()
        seconds.append(clock.host_s() - start)
    return seconds


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Afterwards every module is in training or eval mode as before: an evaluation may leave it in eval mode."""
    before = {module: module.training for module in model.modules()}
    yield
    for module, training in before.items():
        module.training = training


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the seconds of what the task does once in many steps."""
    return so_far.plus(costs(subject.work, subject.clock))


probe = Then(name=Probe.PERIODIC, measure=measure, once=True)
