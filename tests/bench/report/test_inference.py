"""What a page says of inference: latencies, and nothing of training."""

import csv
import re
from pathlib import Path

from bench.analyse.load import load
from bench.report import pages
from tests.bench.report.made_up import BASE, MakeRun, around

INFER, FASTER = f"{BASE}-infer", f"{BASE}-infer-kept"
STEPS = {(INFER, "A"): around(0.4, 0), (INFER, "A'"): around(0.4, 3), (FASTER, "V"): around(0.2, 1)}
LATENCIES = {
    INFER: {"latency_p50": 0.39, "latency_p90": 0.45, "latency_p99": 0.5, "latency_calls": 150},
    FASTER: {"latency_p50": 0.19, "latency_p90": 0.25, "latency_calls": 42},
}


def test_latencies_are_columns_of_the_page_and_of_steps_csv(make_run: MakeRun, tmp_path: Path) -> None:
    report = pages.write(load(make_run(STEPS, once=LATENCIES)), tmp_path)
    page = re.sub(" +", " ", report.path.read_text())
    rows = list(csv.DictReader((report.folder / "tables" / "steps.csv").read_text().splitlines()))

    assert [row["latency_p50_s"] for row in rows] == ["0.39", "0.19"]
    assert [row["latency_p99_s"] for row in rows] == ["0.5", ""]
    assert [row["latency_calls"] for row in rows] == ["150", "42"]
    assert "| call p50 | call p90 | call p99 | calls a trial |" in page
    assert "| 190 ms | 250 ms | | 42 |" in page
    assert "*Call p50*, *p90* and *p99* are percentiles of single calls" in page


def test_a_page_of_training_has_none(make_run: MakeRun, tmp_path: Path) -> None:
    report = pages.write(load(make_run({(BASE, "A"): around(0.4, 0), (BASE, "A'"): around(0.4, 3)})), tmp_path)

    assert "latency" not in (report.folder / "tables" / "steps.csv").read_text()
    assert "p99" not in report.path.read_text()


def test_a_page_of_inference_says_how_to_infer(make_run: MakeRun, tmp_path: Path) -> None:
    half = f"{BASE}-infer".replace("default", "bf16")
    data = load(make_run(STEPS | {(half, "V"): around(0.1, 2)}))
    page = pages.write(data, tmp_path).path.read_text()

    assert "**bf16** infers 320 images/s" in page
    assert "```python\nwith torch.autocast(device.type, dtype=torch.bfloat16):  # around every call\n```" in page
    assert [] == [words for words in ("trains", "python -m nin", "criterion", "zeroing") if words in page]


def test_layers_of_inference_have_no_backward(make_run: MakeRun, tmp_path: Path) -> None:
    layers = [("0.0", "Conv2d", 0.75, 0.0), ("0.1", "ReLU", 0.25, 0.0)]
    data = load(make_run(STEPS, layers=layers))
    forward_only = data.spreads.copy()
    for cell in [cell for cell in forward_only if cell[4] == "backward"]:
        del forward_only[cell]
    object.__setattr__(data, "spreads", forward_only)
    report = pages.write(data, tmp_path)
    rows = list(csv.DictReader((report.folder / "tables" / "layers.csv").read_text().splitlines()))

    assert {row["backward_s"] for row in rows} == {""}
    assert [round(float(row["share_of_step"]), 2) for row in rows[:2]] == [0.74, 0.25]
