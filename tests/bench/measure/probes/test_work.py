"""The probe of work leaves the other results of a trial alone, whatever a model holds."""

import pytest
import torch

from bench.core.variants import Variant
from bench.measure.clock import HostClock
from bench.measure.probe import Measured, Subject
from bench.measure.probes import work
from bench.measure.samples import Samples
from bench.measure.workload import Inputs, build
from tests.bench.measure.asking import request


@pytest.fixture
def subject() -> Subject:
    """A small model."""
    made = build(Variant(batch_size=2, model="torchvision.models:squeezenet1_1"), Inputs(shape=(3, 32, 32)), seed=0)
    return Subject(request=request(), work=made, clock=HostClock())


def test_a_baseline_has_its_work_and_its_peak(subject: Subject) -> None:
    rows = work.measure(subject, Measured(samples=Samples("steps"))).samples.rows

    assert {"flops", "least_bytes", "alive", "alive_peak"} <= {row.metric for row in rows}
    assert "end" not in {row.phase for row in rows}


def test_what_can_t_be_observed_adds_nothing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_work: object) -> None:
        msg = "an unusual tensor"
        raise RuntimeError(msg)

    monkeypatch.setattr(work, "work_of", fail)
    so_far = Measured(samples=Samples("steps"))

    assert work.measure(subject, so_far) is so_far


def test_no_memory_is_still_a_failure(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_work: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(work, "work_of", fail)
    with pytest.raises(torch.OutOfMemoryError):
        work.measure(subject, Measured(samples=Samples("steps")))
