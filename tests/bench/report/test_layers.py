"""The section of layers: whether the parts add up, and why a variant has no table."""

import json
from pathlib import Path

import pytest

from bench.analyse.load import RunData, load
from bench.report import pages
from tests.bench.report.made_up import BASE, KEPT, MakeRun, around


@pytest.mark.parametrize(("backward_share", "warned"), [(0.67, False), (0.2, True)])
def test_the_page_warns_of_parts_that_do_not_add_up(
    backward_share: float,
    warned: bool,
    make_run: MakeRun,
    tmp_path: Path,
) -> None:
    arms = {(BASE, "A"): around(1.6, 0), (BASE, "A'"): around(1.6, 3)}
    folder = make_run(arms, layers=[("0", "Conv2d", 0.3, backward_share)])
    page = pages.write(load(folder), tmp_path).path.read_text()

    assert ("**The parts don't add up for all variants**" in page) == warned


LAYERS = [("0.0", "Conv2d", 0.2, 0.5)]


@pytest.mark.parametrize(
    ("reason", "steps", "more"),
    [
        ("it is INVALID", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("invalid", "was not")}}),
        ("its trial ran out of memory", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("oom", "no memory")}}),
        ("its trial did not end in time", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("timeout", "none")}}),
        ("its trial failed", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("error", "RuntimeError")}}),
        ("too slow for stamped ones beside the plain ones (a step takes 9.00 s)", {(BASE, "A"): [9.0]}, {}),
    ],
)
def test_a_baseline_without_a_table_of_layers_says_why(
    make_run: MakeRun, tmp_path: Path, reason: str, steps: dict[tuple[str, str], list[float]], more: dict[str, object]
) -> None:
    folder = make_run(steps, layers=[] if (BASE, "A") in steps else LAYERS, **more)
    header = json.loads((folder / "run.json").read_text())
    if (BASE, "A") in steps:
        header["learned"]["counts"][BASE]["stamped"] = 0
    (folder / "run.json").write_text(json.dumps(header))
    page = pages.write(load(folder), tmp_path).path.read_text()
    layers = page.partition("## Layers")[2].partition("\n## ")[0]
    [line] = [line for line in layers.splitlines() if "has no table of layers" in line]

    assert line.startswith("**baseline** has no table of layers: ")
    assert reason in line
    assert ("### kept" in layers) == ((KEPT, "V") in steps)


def test_a_fastest_variant_that_is_compiled_says_why_it_has_no_table(full_run: RunData, tmp_path: Path) -> None:
    page = pages.write(full_run, tmp_path).path.read_text()

    assert "**nhwc + inductor + kept** has no table of layers: it is compiled, which fuses layers." in page
