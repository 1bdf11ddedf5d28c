"""A model of very many layers has a page that can be read, and nothing is lost in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.analyse.tables import heaviest
from bench.report import pages

pytestmark = pytest.mark.rendered

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
LEAVES = 200
MakeRun = Callable[..., Path]


def shares(count: int) -> list[tuple[str, str, float, float]]:
    """Layers of which each takes more than the one before; together half of the step."""
    whole = count * (count + 1)
    return [(f"block{at}.conv", "Conv2d", 0.4 * (at + 1) / whole, 0.6 * (at + 1) / whole) for at in range(count)]


@pytest.fixture
def many(make_run: MakeRun) -> Callable[[int], RunData]:
    """A run of a model with so many leaves."""
    steps = {(BASE, "A"): [1.0], (KEPT, "V"): [2.0]}
    return lambda count: load(make_run(steps, layers=shares(count), name=f"of-{count}"))


def test_the_heaviest_are_shown_in_the_models_order_and_the_rest_is_summed(many: Callable[[int], RunData]) -> None:
    table = tables.layers(many(LEAVES))
    mine = table[table.variant_id == BASE]
    shown = heaviest.limited(mine, heaviest.layers_of(table, [BASE, KEPT]))

    # 40 rows: 38 layers, `between`, and all others as one.
    assert list(shown.layer) == [*(f"block{at}.conv" for at in range(162, 200)), "between", "(others)"]
    assert shown.type.iloc[-1] == "162 layers"
    for column in ("forward_s", "backward_s", "share_of_step", "parameters"):
        assert shown[column].sum() == pytest.approx(mine[column].sum())


@pytest.mark.parametrize(("count", "rows"), [(39, 40), (40, 40)])
def test_what_fits_is_shown_whole(many: Callable[[int], RunData], count: int, rows: int) -> None:
    table = tables.layers(many(count))
    shown = heaviest.limited(table[table.variant_id == BASE], heaviest.layers_of(table, [BASE]))

    assert len(shown) == rows
    assert (heaviest.OTHERS in set(shown.layer)) == (count > 39)


def test_the_page_says_how_many_it_leaves_out(many: Callable[[int], RunData], tmp_path: Path) -> None:
    page = pages.write(many(LEAVES), tmp_path)
    layers = page.path.read_text().partition("## Layers")[2].partition("Do the parts add up?")[0]

    assert layers.count("leave out 162, summed in the row `(others)`") == 1
    at_a_glance, _, every_row = layers.partition("<summary>Every row</summary>")
    assert at_a_glance.count(".conv") == 10
    assert every_row.count(".conv") < 50
    every = (page.folder / "tables" / "layers.csv").read_text()
    assert every.count(f"\n{BASE},block") == LEAVES
    height = int.from_bytes((page.folder / "figures" / "layers.png").read_bytes()[20:24], "big")
    assert height < 2000
