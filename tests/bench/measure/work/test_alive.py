"""What is alive at a step's peak, against bytes that a person can count."""

import torch
from torch import nn

from bench.core.metrics.tensors import Kind
from bench.core.variants import Variant
from bench.measure.probes.work import alive_at_peak
from bench.measure.timing.layers import stamped
from bench.measure.work.alive import Alive, gradients_of, held_before
from bench.measure.workload import Inputs, build

FLOAT = 4
WIDE, ROWS = 1000, 50
ACTIVATION = FLOAT * ROWS * WIDE


def step(model: nn.Module, x: torch.Tensor) -> Alive:
    """What was alive in a forward and a backward."""
    alive = Alive(held_before(model, {}))
    with alive, stamped(model, alive):  # type: ignore[arg-type]
        alive.begin("forward")
        y = model(x)
        alive.begin("loss")
        loss = y.sum()
        del y
        alive.begin("backward")
        loss.backward()
        alive.begin("end")
    return alive


def test_the_peak_of_a_chain_is_as_its_backward_begins() -> None:
    """Each layer keeps its output; the first gradient of an activation comes on top."""
    model = nn.Sequential(nn.Linear(1, WIDE, bias=False), nn.Sigmoid(), nn.Sigmoid(), nn.Sigmoid())
    x = torch.ones(ROWS, 1)
    alive = step(model, x)
    parts = alive.parts(gradients_of(model))

    assert alive.peak_owner[1] == "backward"
    assert parts["0", Kind.PARAMETERS] == FLOAT * WIDE
    assert parts["", Kind.INPUTS] == FLOAT * ROWS
    assert {layer: parts[layer, Kind.KEPT] for layer in "123"} == dict.fromkeys("123", ACTIVATION)
    assert ("0", Kind.KEPT) not in parts  # Sigmoid keeps its result, so what the first layer made is gone
    assert sum(parts.values()) == alive.peak


def test_gradients_that_stay_are_told_from_those_that_pass() -> None:
    model = nn.Sequential(nn.Linear(WIDE, WIDE, bias=False), nn.Linear(WIDE, 1, bias=False))
    alive = step(model, torch.ones(1, WIDE))
    parts = alive.parts(gradients_of(model))

    assert parts["0", Kind.GRADIENTS] == FLOAT * WIDE * WIDE
    assert parts["0", Kind.PARAMETERS] == FLOAT * WIDE * WIDE


def test_what_was_there_before_has_its_layer_and_kind() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    held = held_before(model, optimizer.state)
    counted = {known: sum(x.numel() for x in values) for known, values in held.items() if values}

    assert counted == {
        ("0", Kind.PARAMETERS): 8, ("0", Kind.GRADIENTS): 8, ("0", Kind.STATE): 2 * 8 + 2,
    }  # fmt: skip


def test_a_storage_that_is_gone_is_not_alive() -> None:
    alive = Alive({})
    with alive:
        for _ in range(10):
            torch.ones(WIDE).add(1)

    assert alive.peak == 2 * FLOAT * WIDE


def test_views_add_nothing() -> None:
    alive = Alive({})
    with alive:
        x = torch.ones(WIDE)
        views = [x[:10], x.view(10, -1), x.t()]

    assert (alive.peak, len(views)) == (FLOAT * WIDE, 3)


def test_nin_at_batch_8_keeps_what_autograd_saves() -> None:
    """Parameters and Adam's two moments are there. The peak is at the last ReLU, which has input and output."""
    work = build(Variant(batch_size=8), Inputs(), seed=0)
    work.step(next(work.batches))
    rows = alive_at_peak(work).rows
    parameters = FLOAT * sum(p.numel() for p in work.trainer.model.parameters())
    by_kind = {kind: sum(r.value for r in rows if r.metric == "alive" and r.phase == kind) for kind in Kind}

    assert by_kind[Kind.PARAMETERS] == parameters
    assert 2 * parameters <= by_kind[Kind.STATE] <= 2.01 * parameters
    [peak] = [row for row in rows if row.metric == "alive_peak"]
    assert (peak.layer, peak.phase) == ("4.5", "forward")
    assert peak.value == sum(by_kind.values())
