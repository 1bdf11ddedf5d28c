"""Time goes to the code that took it: on a clock that only planted waits move, every row is exact."""

from typing import Any

import pytest

from bench.traces import BETWEEN
from benchmarks.attribution import PHASES, step_of
from benchmarks.planted import CASES, Case, Plant


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:FutureWarning", "ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_is_its_own_waits_and_nothing_else(case: Case, clock: Any) -> None:  # noqa: ANN401
    """Waits are powers of two seconds, so that no two sums of them are alike."""
    plant = Plant(clock.pass_s)
    model = case.net(plant)
    rows = [(spot, phase) for spot in case.spots() for phase in PHASES]
    plant.delays_s = {row: float(2 ** (3 * index)) for index, row in enumerate(rows)}
    with case.around():
        found = step_of(model, clock)

    assert {row: s for row, s in found.items() if s} == {r: s for r, s in case.expected(plant.delays_s).items() if s}
    assert {layer for layer, _ in found} <= {*case.spots(), BETWEEN, "part.1"}
