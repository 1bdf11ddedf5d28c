"""The page of `compare`, from runs made up for two GPUs."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.analyse.load import RunData, load
from bench.core.records import RecordError
from bench.report.sides import compare_page

pytestmark = pytest.mark.rendered

BASE = "cuda-default-nchw-eager-b128"
NOTEBOOK = "cuda-default-nchw-eager-b128-notebook-syncstep"
BF16 = "cuda-bf16-nhwc-eager-b128"
COMPILED = "cuda-bf16-nhwc-inductor-b128"
SPEEDS = {BASE: 1.0, NOTEBOOK: 1.9, BF16: 0.45, COMPILED: 0.3}
"""Times the baseline's step."""
MakeRun = Callable[..., Path]
GOLDEN = Path(__file__).parent / "golden_compare.md"


def card(name: str, gib: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"cuda_devices": [{"name": name, "memory_bytes": gib * 2**30, "capability": [9, 0]}]} | more


@pytest.fixture
def two(make_run: MakeRun) -> list[RunData]:
    """A slow card and one that is 2.5 times as fast, but not at the loader; the second was not compiled for."""

    def run(name: str, environment: dict[str, Any], step_s: float, ids: list[str], seed: int) -> RunData:
        rng = np.random.default_rng(seed)
        steps = {}
        for variant_id in ids:
            whole_s = 0.19 if variant_id == NOTEBOOK else SPEEDS[variant_id] * step_s
            for arm in ("A", "A'") if variant_id == BASE else ("V",):
                steps[variant_id, arm] = list(whole_s * np.exp(rng.normal(0, 0.01, 13)))
        held = {"parameter": 7.6, "gradient": 7.6, "optimizer": 15.2, "saved": 640.0, "allocator_peak": 900.0,
                "process_peak": 1400.0}  # fmt: skip
        return load(
            make_run(
                steps,
                name=name,
                environment=environment,
                layers=[("0.0", "Conv2d", 0.1, 0.2), ("0.1", "ReLU", 0.02, 0.05), ("1.0", "Conv2d", 0.18, 0.42)],
                memory={BASE: {k: v * 2**20 for k, v in held.items()}, BF16: {k: v * 2**19 for k, v in held.items()}},
                canary={"convolution": 1e-3 * step_s, "matmul": 2e-3 * step_s, "copy": 1e-3},
            )
        )  # fmt: skip

    return [
        run("card-24", card("Made-up GPU 24", 24), 0.1, [BASE, NOTEBOOK, BF16, COMPILED], 0),
        run("card-80", card("Made-up GPU 80", 80, torch="2.98.1"), 0.04, [BASE, NOTEBOOK, BF16], 1),
    ]


def test_the_page_is_the_golden_one(two: list[RunData], tmp_path: Path) -> None:
    page = compare_page.write(two, tmp_path).path.read_text()
    page = page.replace(str(two[0].folder.parent), "results")
    if os.environ.get("NIN_GOLDEN") == "write":
        GOLDEN.write_text(page)

    assert page == GOLDEN.read_text()


def test_it_lies_under_both_names_with_figures_and_tables(two: list[RunData], tmp_path: Path) -> None:
    page = compare_page.write(two, tmp_path)

    assert page.folder == tmp_path / "card-24-vs-card-80"
    assert {"steps.csv", "layers.csv", "memory.csv", "environments.csv"} == {
        p.name for p in (page.folder / "tables").iterdir()
    }
    for figure in re.findall(r"\((figures/[^)]+)\)", page.path.read_text()):
        assert (page.folder / figure).stat().st_size > 5000


def test_with_prices_it_says_which_is_the_cheapest_and_which_the_fastest(two: list[RunData], tmp_path: Path) -> None:
    """The second card is 2.5 times as fast; here its hour costs five times as much."""
    page = compare_page.write(two, tmp_path, ["card-24=1", "card-80=5"])
    text = page.path.read_text()

    assert "The cheapest: **bf16 + nhwc + inductor** on card-24" in text
    assert "The fastest: **bf16 + nhwc** on card-80" in text
    assert "--price card-24=1 --price card-80=5" in page.command
    assert (page.folder / "tables" / "costs.csv").exists()


def test_it_has_no_verdict_word(two: list[RunData], tmp_path: Path) -> None:
    text = compare_page.write(two, tmp_path).path.read_text()

    assert "**CONFOUNDED" in text
    assert not re.search(r"FASTER|SLOWER|SAME\b|UNDECIDED", text)


def test_runs_without_a_common_variant_are_refused(make_run: MakeRun, two: list[RunData], tmp_path: Path) -> None:
    other = load(make_run({("cpu-default-nchw-eager-b8", "V"): [1.0] * 9}, name="other"))
    with pytest.raises(RecordError, match="card-24 has no variant in common with other"):
        compare_page.write([two[0], other], tmp_path)


def test_runs_that_never_measured_canary_layers_or_memory_have_a_page(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [load(make_run({(BASE, "V"): [1.0, 2.0]}, name=name, environment=card("Z", 8))) for name in ("a", "b", "c")]
    text = compare_page.write(runs, tmp_path).path.read_text()

    assert "No run measured the canary." in text
    assert "# a against b, c" in text
    assert "## Layers" not in text
