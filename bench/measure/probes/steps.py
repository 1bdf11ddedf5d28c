"""Timed steps, plain and stamped in turns; verified before, during and after."""

from bench.core.exchange.cause import Cause, Fault
from bench.core.exchange.probe import Probe
from bench.core.header import Counts, Items
from bench.measure.probe import First, Measured, Subject
from bench.measure.probes.memory import process_peak_bytes
from bench.measure.samples import Samples
from bench.measure.system.state import State
from bench.measure.timing.first import first_step
from bench.measure.timing.steps import calibrate, first_tells, warm_up
from bench.measure.timing.timed import timed_steps
from bench.measure.validity import paths, verify
from bench.measure.validity.effects import Effects, disturbed, samples_of, settle


def measure(subject: Subject) -> Measured:
    """The samples of steps. A trial without given counts finds out how many steps to take, and returns the counts."""
    work, clock, learns = subject.work, subject.clock, subject.request.counts is None
    samples, state = Samples("steps"), State(work)
    subject.turn.meanwhile = state.paused
    facts, first_s = first_step(work, clock)
    samples.add("first_step", first_s)
    if slow := too_slow(subject, first_s):
        samples.add("wall", first_s)
        return Measured(samples=samples, fault=slow, layers=facts, counts=Counts(), step_s=first_s)
    compiled = Effects.of(work)
    settle(work)
    counts = warm_up(work, clock, counts_of(subject, first_s))
    before = Effects.of(work)
    state.begin(clock)
    timed = timed_steps(work, clock, counts, subject.turn, learns=learns)
    after = Effects.of(work)
    machine = state.read(clock, timed.counts.iterations)
    effects = samples_of(work, compiled, before, after)
    samples.add_all([timed.plain, timed.stamped, state.throttled, effects, verify.weights_samples(work)])
    if timed.counts.varied and learns:
        facts = paths.completed(work, facts, timed.layers)
    loss_sum = float(work.trainer.loss_sum)
    return Measured(
        samples=samples,
        fault=disturbed(work.variant, loss_sum, before, after)
        or verify.after_steps(work.variant, facts, timed.page_faults),
        layers=facts,
        state=machine,
        counts=timed.counts,
        items=Items(count=work.items, unit=work.unit),
        step_s=timed.step_s,
        peak_bytes=process_peak_bytes(work.device),
    )


def too_slow(subject: Subject, first_s: float) -> Fault | None:
    """Why the trial ends after its first step, if that took hopelessly long and tells how long the others take."""
    limit_s = subject.request.hopeless_s
    if limit_s is None or first_s <= limit_s or not first_tells(subject.work):
        return None
    return Fault(Cause.TOO_SLOW, f"its first step took {first_s:.1f} s, and more than {limit_s:.1f} s is hopeless")


def counts_of(subject: Subject, first_s: float) -> Counts:
    """How many steps to take: as requested, or else by how long steps take here."""
    requested, pilot = subject.request.counts, subject.request.pilot_counts
    if requested is not None:
        return requested
    return calibrate(subject.work, subject.clock, first_s, plain=pilot.plain, stamped=pilot.stamped)


probe = First(name=Probe.STEPS, measure=measure)
