"""The verbs as a person calls them."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.records import SAMPLES, TRIALS, read_rows


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


@pytest.mark.slow
def test_a_run_of_a_small_model_ends_in_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    code, output = call(
        "run", "--variant", "cpu-default-nhwc-eager-b8-models:lenet", "--input", "1x28x28", "--rounds", "1",
        "--run-id", "small",
    )  # fmt: skip
    trials = read_rows(tmp_path / "results" / "small", TRIALS)[0]
    layers = {s["layer"] for s in read_rows(tmp_path / "results" / "small", SAMPLES)[0] if s["scope"] == "layer"}
    page = (tmp_path / "reports" / "small" / "report.md").read_text()

    assert code == 0, output
    assert ["ok"] * 7 == [t["status"] for t in trials], trials
    assert {"features.0", "classifier.1", "between"} <= layers
    assert "report: reports/small/report.md" in output
    assert "## Layers" in page
    for figure in re.findall(r"\((figures/[^)]+)\)", page):
        assert (tmp_path / "reports" / "small" / figure).stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "--variant", "cpu-fast"), 2, "unknown variant 'cpu-fast'"),
        (("run", "--axis", "colour=red"), 2, "unknown axis 'colour'"),
        (("run", "--axis", "precision=fp8"), 2, "precision must be default, fp32, tf32, bf16, got 'fp8'"),
        (("run", "--preset", "slow"), 2, "unknown preset 'slow'"),
        (("run", "--device", "tpu"), 2, "device must be cpu, cuda or cuda:N, got 'tpu'"),
        (("run", "--budget", "soon"), 2, "--budget reads"),
        (("run", "--run-id", "../x"), 2, "--run-id must be"),
        (("run", "--device", "cpu", "--data", "/nowhere"), 2, "/nowhere, is not a folder"),
        (("run", "--resume", "nothing"), 4, "no run"),
        (("report", "nothing"), 4, "no run"),
        (("list", "--axis", "threads=0"), 2, "threads must be"),
    ],
)
def test_a_wrong_call_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, output = call(*arguments)

    assert ended == code, output
    assert told in output
    assert len(output.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("trials.csv"))


def test_list_tells_the_matrix_and_what_is_excluded() -> None:
    code, output = call("list", "--device", "cpu", "--axis", "precision=default,tf32")

    assert code == 0
    assert "cpu-tf32-nhwc-eager-b32-kept" in output
    assert "excluded: TF32 exists on CUDA devices only" in output
    assert re.search(r"are \d+ trials: about .* before any is measured, at most 20 min", output)
