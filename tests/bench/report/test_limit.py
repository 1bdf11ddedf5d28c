"""The section on how far a step is from its device's limits says what its numbers say."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.analyse.stats import Interval
from bench.analyse.tables import roofline
from bench.core.variants import parse_id
from bench.report import pages
from bench.report.layers import limit, peak
from bench.report.render import markdown
from tests.bench.report.made_up import BASE, BEST, COMPILED

GIGA = 1e9
STEP_S = {BASE: 1.6, BEST: 1.0}
SHARES = {("0.0", "forward"): 0.2, ("0.0", "backward"): 0.5, ("0.1", "forward"): 0.1, ("0.1", "backward"): 0.17}
"""Of a step, of each row of the made-up run; phases outside of layers have no work here."""


def known(value: float) -> Interval:
    """A value without bounds."""
    return Interval(estimate=value, lo=math.nan, hi=math.nan)


@pytest.fixture
def run(full_run: RunData) -> RunData:
    """The made-up run on a device of 100 GFLOP/s and 10 GB/s, with work that fits it in part.

    Forward of the convolution needs a quarter of the baseline's time by its operations; backward half of it; ReLU's
    forward a tenth by its bytes, and the work of its backward is not known.
    """
    spreads = dict(full_run.spreads)
    for name, rate in (("float32", 100 * GIGA), ("bfloat16", 300 * GIGA)):
        spreads[BASE, "roof_flops", "process", "", name] = known(rate)
        spreads[BASE, "roof_spread", "process", "", name] = known(0.02)
    spreads[BASE, "roof_bytes", "process", "", "copy"] = known(10 * GIGA)
    took = {row: share * STEP_S[BASE] for row, share in SHARES.items()}
    work = {
        ("0.0", "forward"): (0.25 * took["0.0", "forward"] * 100 * GIGA, 1.0),
        ("0.0", "backward"): (0.5 * took["0.0", "backward"] * 100 * GIGA, 1.0),
        ("0.1", "forward"): (0.0, 0.1 * took["0.1", "forward"] * 10 * GIGA),
        ("0.1", "backward"): (math.nan, 1.0),
    }
    for variant_id in (BASE, BEST):
        for (layer, phase), (flops, least_bytes) in work.items():
            spreads[variant_id, "flops", "layer", layer, phase] = known(flops)
            spreads[variant_id, "half_flops", "layer", layer, phase] = known(0.0)
            spreads[variant_id, "least_bytes", "layer", layer, phase] = known(least_bytes)
    return replace(full_run, spreads=spreads)


def test_layers_csv_has_the_share_of_the_roof_and_what_binds(run: RunData) -> None:
    rows = tables.layers(run)
    base = rows[rows.variant_id == BASE].set_index("layer")

    assert base.forward_roof_share["0.0"] == pytest.approx(0.25)
    assert base.backward_roof_share["0.0"] == pytest.approx(0.5)
    assert base.forward_roof_share["0.1"] == pytest.approx(0.1)
    assert math.isnan(base.backward_roof_share["0.1"])
    assert base.bound.to_dict() == {"0.0": "compute", "0.1": "memory", "between": ""}


def test_a_step_has_a_share_only_if_most_of_its_work_is_known(run: RunData) -> None:
    rows = tables.steps(run)

    assert "roof_share" not in rows
    assert COMPILED in set(rows.variant_id)


def test_the_sentence_says_where_most_of_the_gap_is(run: RunData, tmp_path: Path) -> None:
    report = pages.report_of(run, tmp_path)
    section = limit.section(report)
    assert section is not None
    text = markdown.text([section])

    # 0.32 + 0.8 + 0.16 s are known, of which a quarter, a half and a tenth are needed.
    assert "Stamped, and without data and h2d, a step takes 1.28 s" in text
    assert "its work would take 496 ms, 39 % of that" in text
    assert "backward of `0.0` (400 ms over its roof, at 50 % of it), then forward of `0.0` (240 ms over" in text
    assert "| float32" in text
    assert "100 GFLOP/s" in text
    assert "500 ms (nhwc + kept)" in text
    assert "Winograd" not in text.partition("### nhwc + kept")[0]


def test_a_run_without_roofs_has_no_section(full_run: RunData, tmp_path: Path) -> None:
    assert limit.section(pages.report_of(full_run, tmp_path)) is None


def test_the_peak_says_what_is_alive_and_when(full_run: RunData) -> None:
    mib = 2.0**20
    alive = {("0.0", "kept for backward"): 30 * mib, ("0.0", "parameters"): 10 * mib, ("0.1", "gradients"): 60 * mib}
    more = {(BASE, "alive", "layer", layer, kind): known(value) for (layer, kind), value in alive.items()}
    more[BASE, "alive_peak", "layer", "0.1", "backward"] = known(100 * mib)
    text = markdown.text(peak.blocks(replace(full_run, spreads=full_run.spreads | more)))

    assert (
        "holds most, 100 MiB of tensors, in backward of `0.1`: 60 % gradients, 30 % kept for backward, 10 % parameters."
    ) in text
    assert text.index("| `0.1`") < text.index("| `0.0`")
    assert peak.blocks(full_run) == []


MIB = 2**20
ALIVE = {("0.0", "kept for backward"): 30 * MIB, ("0.0", "parameters"): 10 * MIB, ("0.1", "gradients"): 10 * MIB}


def holding(run: RunData, limit_bytes: int, found: int | None = None) -> RunData:
    """The run whose baseline of 32 images peaks at 500 MiB, 84 of them torch's, 20 the model's and 64 the images'."""
    spreads = {(BASE, "alive", "layer", layer, kind): known(value) for (layer, kind), value in ALIVE.items()}
    for name, peak_mib in (("allocator_peak", 84), ("process_peak", 500)):
        spreads[BASE, name, "process", "", ""] = known(peak_mib * MIB)
    plan = structs.replace(run.run.plan, memory_limit_bytes={"cpu": limit_bytes, "cuda": None})
    largest = {parse_id(BASE.replace("b32", "bmax")).id: found} if found else {}
    header = structs.replace(run.run, plan=plan, learned=structs.replace(run.run.learned, largest=largest))
    return replace(run, run=header, spreads=run.spreads | spreads)


@pytest.mark.parametrize(
    ("limit_mib", "found", "words"),
    [
        (700, None, "So a batch of about 132 should fit into 700 MiB (a projection)."),  # 32 and 200 / 2 more
        (700, 130, "should fit into 700 MiB (a projection; the search found 130)."),
        (450, None, "So a batch of about 7 should fit into 450 MiB (a projection)."),
        (400, None, "That is too much for 400 MiB."),
    ],
)
def test_the_largest_batch_is_projected_from_what_grows_with_a_batch(
    limit_mib: int, found: int | None, words: str, full_run: RunData
) -> None:
    text = markdown.text(peak.blocks(holding(full_run, limit_mib * MIB, found)))

    assert "Each item of a batch adds 2.00 MiB to the peak." in text
    assert words in text


def test_without_the_peaks_no_batch_is_projected(full_run: RunData) -> None:
    held = holding(full_run, 700 * MIB)
    spreads = {key: value for key, value in held.spreads.items() if key[1] != "process_peak"}

    assert "projection" not in markdown.text(peak.blocks(replace(held, spreads=spreads)))


def test_a_step_that_names_its_phases_is_its_layers_and_an_unknown_rest(run: RunData) -> None:
    """Its phases hold the layers, so both together would count twice."""
    spreads = dict(run.spreads)
    spreads[BASE, "wall", "phase", "", "D real"] = known(1.5)
    parts = roofline.parts_of(replace(run, spreads=spreads), BASE)
    rest = {part.phase: part.took_s for part in parts if not part.layer}

    assert sum(part.took_s for part in parts) == pytest.approx(run.spread(BASE, "stamped_wall").estimate)
    assert list(rest) == ["rest"]


def test_roofs_that_were_unsteady_are_a_warning(run: RunData, tmp_path: Path) -> None:
    spreads = dict(run.spreads)
    steady = limit.section(pages.report_of(run, tmp_path))
    spreads[BASE, "roof_spread", "process", "", "copy"] = known(0.4)
    wide = limit.section(pages.report_of(replace(run, spreads=spreads), tmp_path))

    assert steady is not None
    assert wide is not None
    assert "unsteady" not in markdown.text([steady])
    assert "The roofs were unsteady (copy \N{PLUS-MINUS SIGN}40 %)" in markdown.text([wide])
