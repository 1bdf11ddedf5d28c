"""Each probe is a file of its name, and one from outside is measured as they are."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.core.exchange.probe import Probe
from bench.core.header import Inputs
from bench.core.reading import read_rows
from bench.core.records import SAMPLES, TRIALS
from bench.core.variants import Variant
from bench.measure import probes
from bench.measure.probe import First, Then
from bench.measure.registry import in_order, probe_of
from bench.plan.schedule import Arm, Planned
from bench.run.record import Run
from bench.run.trial import take

ONCE = [Probe.LOADER, Probe.KERNELS, Probe.WORK, Probe.ROOFS, Probe.PERIODIC, Probe.NUMERICS]
FOLLOWERS = [Probe.LAYERS, Probe.LATENCY, Probe.CANARY, *ONCE]


@pytest.mark.parametrize("name", Probe)
def test_each_probe_is_a_file_of_its_name(name: Probe) -> None:
    assert probe_of(name).name is name
    assert isinstance(probe_of(name), Then if name in FOLLOWERS else First)


def test_each_file_is_a_probe() -> None:
    files = {path.stem for path in Path(probes.__path__[0]).glob("*.py")} - {"__init__"}

    assert files == set(Probe)


def test_probes_follow_in_an_order_of_their_own() -> None:
    """Numerics changes the weights, and what the profiler starts is not there while a loader is timed."""
    first, then = in_order([Probe.NUMERICS, *FOLLOWERS, Probe.STEPS])

    assert first.name is Probe.STEPS
    assert [probe.name for probe in then] == FOLLOWERS
    assert [probe.name for probe in then if probe.once] == ONCE


@pytest.mark.parametrize("names", [[], [Probe.CANARY], [Probe.STEPS, Probe.MEMORY]])
def test_a_trial_has_one_probe_that_comes_first(names: list[Probe]) -> None:
    with pytest.raises(ValueError, match="one probe that comes first"):
        in_order(names)


def test_a_probe_from_outside_is_measured_and_its_samples_are_kept(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{folder.parents[2]}")
    variant = Variant(model="tests_models:twice", batch_size=4)
    run = start(variant.id)
    run.header = replace(run.header, inputs=Inputs(folder=None, shape=(1, 28, 28), classes=10))
    run.worker = (sys.executable, str(folder / "own_probe.py"))
    arm = Arm(name="A", variant=variant, canary=True)
    reply = take(run, Planned(round=1, order=0, arm=arm, stage="measure", probes=arm.probes), None, 300)
    assert reply.ok, reply.reason
    [row] = read_rows(run.folder.folder, TRIALS)[0]
    [own] = [row for row in read_rows(run.folder.folder, SAMPLES)[0] if row["probe"] == "own"]

    assert (row["probes"], row["status"], row["cause"]) == ("steps+layers+canary", "ok", "")
    assert (own["trial_id"], own["metric"]) == (row["trial_id"], "loss")
    assert float(str(own["value"])) > 0
