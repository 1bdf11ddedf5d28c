"""Blocks that a model repeats become one row for each of their layers."""

import math

import pandas as pd
import pytest

from bench.analyse.tables.repeated import folded, repeated


def test_layers_of_blocks_that_differ_in_one_number_share_a_name() -> None:
    types = {"token": "Embedding"}
    for number in range(3):
        types |= {f"blocks.{number}": "Block", f"blocks.{number}.mlp.0": "Linear", f"blocks.{number}.mlp.2": "Linear"}

    assert repeated(types) == {
        f"blocks.{number}{rest}": f"blocks.*{rest}" for number in range(3) for rest in ("", ".mlp.0", ".mlp.2")
    }


@pytest.mark.parametrize(
    "types",
    [
        {"blocks.0": "Block", "blocks.1": "Block"},  # two are shown one by one
        {"0": "Conv2d", "1": "ReLU", "2": "Conv2d"},  # of two kinds
        {f"b.{path}": "A" for path in ("0.x", "0.z", "1.x", "1.z", "2.y", "2.z")},  # of other names
        {"0": "Linear", "1": "Linear", "2": "Linear"},  # of one layer each
    ],
    ids=str,
)
def test_what_is_not_repeated_keeps_its_name(types: dict[str, str]) -> None:
    assert repeated(types) == {}


def test_some_of_the_blocks_may_be_alike() -> None:
    types = {f"b.{number}{inner}": "Plain" for number in range(3) for inner in ("", ".x")} | {"b.3": "Last"}

    assert repeated(types) == {f"b.{number}{inner}": f"b.*{inner}" for number in range(3) for inner in ("", ".x")}


def test_a_folded_row_has_the_sums_and_the_spread_of_its_layers() -> None:
    names = ["first", *(f"b.{number}.{inner}" for number in range(3) for inner in "xy"), "last"]
    count = len(names)
    rows = pd.DataFrame(
        {
            "layer": names, "type": ["A", *["X", "Y"] * 3, "C"], "output_shape": ["2x3"] * count,
            "parameters": [1, *[2, 0] * 3, 3],
            "forward_s": [1.0, 2.0, 0.0, 3.0, 0.0, 7.0, 0.0, 4.0], "backward_s": [1.0, *[0.5, 0.0] * 3, math.nan],
            "share_of_step": [0.1] * count, "saved_bytes": [0.0, *[8.0, 0.0] * 3, 0.0],
        }
        | {f"{phase}_s_{end}": [0.0] * count for phase in ("forward", "backward") for end in ("lo", "hi")}
    )  # fmt: skip
    table = folded(rows).set_index("layer")

    assert list(table.index) == ["first", "b.*.x", "b.*.y", "last"]
    assert table.loc["b.*.x", ["parameters", "forward_s", "backward_s", "saved_bytes", "blocks"]].tolist() == [
        6, 12.0, 1.5, 24.0, 3,
    ]  # fmt: skip
    assert table.loc["b.*.x", ["each_s", "each_lo", "each_hi"]].tolist() == [3.5, 2.5, 7.5]
    assert math.isnan(table.loc["b.*.x", "forward_s_lo"])
    assert (table.loc["first", "forward_s_lo"], table.loc["last", "forward_s"]) == (0.0, 4.0)
    assert math.isnan(table.loc["last", "backward_s"])


def test_blocks_of_other_shapes_are_shown_one_by_one() -> None:
    """As those of Network in Network, which have the same layers and other sizes."""
    names = [f"{number}.{inner}" for number in range(3) for inner in (0, 1)]
    shapes = ["8x96", "8x96", "8x256", "8x256", "8x384", "8x384"]
    rows = pd.DataFrame(
        {"layer": names, "type": ["Conv2d", "ReLU"] * 3, "output_shape": shapes, "parameters": [4, 0] * 3}
    )
    rows = rows.assign(
        **dict.fromkeys(("forward_s", "backward_s", "share_of_step", "saved_bytes"), 1.0),
        **{f"{phase}_s_{end}": 0.0 for phase in ("forward", "backward") for end in ("lo", "hi")},
    )

    assert list(folded(rows).layer) == names
