"""A step taken apart: the parts are those of the table, and none is lost or counted twice."""

import math

import pandas as pd
import pytest

from bench.report.document import Span
from bench.report.layers import breakdown

ROWS = pd.DataFrame(
    [
        ("blocks.0", "Block", 0.5, 1.0, 0.15),
        ("blocks.0.norm", "LayerNorm", 1.0, math.nan, 0.10),
        ("blocks.1.norm", "LayerNorm", 2.0, 3.0, 0.50),
        ("between", "", 0.25, 0.5, 0.075),
    ],
    columns=["layer", "type", "forward_s", "backward_s", "share_of_step"],
)


def leaves(span: Span) -> float:
    """The own time of a part and of all that it holds."""
    return span.seconds - math.fsum(part.seconds for part in span.spans) + math.fsum(map(leaves, span.spans))


def test_a_module_has_its_own_code_and_all_that_it_holds() -> None:
    layers = breakdown.tree_of(ROWS)
    blocks = layers["blocks"]

    assert list(layers) == ["blocks", "between"]
    assert list(blocks.held) == ["0", "1"]
    assert blocks.held["0"].type == "Block"
    assert blocks.held["0"].took_s("forward") == 1.5
    assert (blocks.took_s("forward"), blocks.took_s("backward")) == (3.5, 4.0)
    assert blocks.share == pytest.approx(0.75)
    assert blocks.share + layers["between"].share == pytest.approx(ROWS.share_of_step.sum())


@pytest.mark.parametrize(("forward_s", "whole_s"), [(5.0, 5.0), (3.0, 3.75)])
def test_a_phase_is_never_shorter_than_its_layers(forward_s: float, whole_s: float) -> None:
    phases = ("data", "forward", "loss", "backward")
    step = {"data_s": 0.1, "forward_s": forward_s, "loss_s": math.nan, "backward_s": 5.0}
    span = breakdown.span_of(step, phases, breakdown.tree_of(ROWS))

    assert [part.name for part in span.spans] == ["data", "forward", "backward"]
    assert span.seconds == pytest.approx(0.1 + whole_s + 5.0)
    assert span.spans[1].seconds == whole_s
    assert leaves(span) == pytest.approx(span.seconds)


def test_a_layer_that_takes_no_time_in_a_direction_is_no_part_of_it() -> None:
    step = {"forward_s": 4.0, "backward_s": 5.0}
    _, backward = breakdown.span_of(step, ("forward", "backward"), breakdown.tree_of(ROWS)).spans
    (first, second), _ = backward.spans[0].spans, backward.spans[1]

    assert [part.name for part in backward.spans] == ["blocks", "between"]
    assert (first.name, list(first.spans)) == ("blocks.0 Block", [])
    assert [part.name for part in second.spans] == ["blocks.1.norm LayerNorm"]
