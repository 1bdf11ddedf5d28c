"""What the terminal shows at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse.load import load
from bench.report import pages
from bench.report.render import terminal

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
GPU = "cuda-default-nchw-eager-b128"
MakeRun = Callable[..., Path]


def test_the_answer_a_bar_a_variant_and_the_path(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run({(BASE, "A"): [2.0] * 10, (BASE, "A'"): [2.0] * 10, (KEPT, "V"): [1.0] * 10})
    terminal.show(pages.write(load(folder), tmp_path))
    lines = capsys.readouterr().out.splitlines()

    kept, base = (next(line.split() for line in lines if line.split()[:1] == [name]) for name in ("kept", "baseline"))
    assert lines[0] == "nin, batch 32, cpu: 2.00 times as fast with kept"
    assert lines[1].startswith("Fastest: kept trains 32.0 images/s: 2.00 [2.00, 2.00] times the baseline")
    assert kept == ["kept", 24 * "\N{FULL BLOCK}", "32.0", "2.00", "[2.00,", "2.00]", "FASTER", "9"]
    assert base == ["baseline", 12 * "\N{FULL BLOCK}", "16.0", "9"]
    assert lines[-1] == f"report: {tmp_path}/made-up/report.md"


def test_the_first_estimates_have_no_verdicts(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_estimates(load(make_run({(BASE, "A"): [2.0]})))
    out = capsys.readouterr().out

    assert "16.0" in out
    assert "verdict" not in out


def test_on_a_gpu_the_device_and_the_dispatch_stand_where_a_cpu_has_its_faults(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    on_gpu = {"device": 0.002, "dispatch": 0.0015}
    on_cpu = {"page_faults": 1000.0, "cpu_user": 1.5, "cpu_system": 0.5}
    for variant_id, metrics, there, absent in (
        (GPU, on_gpu, ["device", "dispatch", "2.00 ms", "1.50 ms"], ["page faults", "system CPU"]),
        (BASE, on_cpu, ["page faults", "system CPU", "1,000", "25 %"], ["device", "dispatch"]),
    ):
        folder = make_run({(variant_id, "A"): [0.0025]}, metrics={variant_id: metrics}, name=variant_id)
        terminal.show_estimates(load(folder))
        out = capsys.readouterr().out

        assert [words for words in there if words not in out] == []
        assert [words for words in absent if words in out] == []
