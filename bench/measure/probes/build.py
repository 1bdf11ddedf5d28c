"""The probe of whether a model can be trained: it shows the model two images, and measures nothing."""

from bench.core.exchange.messages import Understood
from bench.core.exchange.probe import Probe
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.validity.tryout import try_once
from bench.measure.workload import Workload, owned_axes
from bench.tasks.task import owns_loop, owns_step
from bench.tasks.trainer import TaskTrainer


def measure(subject: Subject) -> Measured:
    """What was understood, and no samples. Raises ModelError or TaskError if it can't be trained."""
    try_once(subject.work)
    return Measured(samples=Samples("build"), understood=understood(subject.work))


def understood(work: Workload) -> Understood:
    """The form of what is trained, and the axes that it decides itself."""
    if work.task is None:
        return Understood(form="classifier", owned=())
    form = "own loop" if owns_loop(work.task) else "own step" if owns_step(work.task) else "task"
    own_optimizer = isinstance(work.trainer, TaskTrainer) and work.trainer.own_optimizer
    owned = (*owned_axes(work.task), *(("optimizer",) if own_optimizer else ()))
    return Understood(form=form, owned=owned)  # type: ignore[arg-type] # a choice of literals


probe = First(name=Probe.BUILD, measure=measure, checked=False)
