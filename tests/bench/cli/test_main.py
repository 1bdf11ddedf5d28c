"""The verbs as a person calls them."""

import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.reading import read_rows
from bench.core.records import SAMPLES, TRIALS

pytestmark = pytest.mark.rendered


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
    assert ["ok"] * 9 == [t["status"] for t in trials], trials
    assert 2 == [t["probes"] for t in trials].count("epoch")
    assert {"features.0", "classifier.1", "between"} <= layers
    assert "report: reports/small/report.md" in output
    assert "## Layers" in page
    for figure in re.findall(r"\((figures/[^)]+)\)", page):
        assert (tmp_path / "reports" / "small" / figure).stat().st_size > 5000


@pytest.fixture
def two_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to call from whose model is another folder's, and runs a layer twice."""
    source = (Path(__file__).parent / "models.py").read_text()
    for name, line in (("base", ""), ("head", "\n\ndef twice(*a):\n    m = lenet(*a)\n    return m\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ours.py").write_text(source + line)
    monkeypatch.chdir(tmp_path / "head")
    monkeypatch.syspath_prepend(str(tmp_path / "head"))
    return tmp_path


AB = ("--variant", "cpu-default-nchw-eager-b8-ours:lenet", "--input", "1x28x28", "--rounds", "1", "--run-id", "small")


@pytest.mark.slow
def test_ab_of_two_folders_ends_in_a_page_and_an_exit_code(two_trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(two_trees / "summary.md"))
    code, output = call("ab", "--base", "../base", *AB, "--strict")
    trials = read_rows(Path("results/small"), TRIALS)[0]

    assert code == 3, output  # one round is UNDECIDED
    assert ["ok"] * 5 == [t["status"] for t in trials], trials
    assert ["base", "head", "base", "base", "head"] == sorted(str(t["tree"]) for t in trials[:2]) + sorted(
        str(t["tree"]) for t in trials[2:]
    )
    assert "No change was confirmed." in output
    assert "report: reports/small/report.md" in output
    assert (two_trees / "summary.md").read_text().startswith("### nin-bench: UNDECIDED: this tree against ../base")
    assert str(two_trees) not in Path("results/small/run.json").read_text()
    assert call("report", "small")[0] == 0
    assert Path("reports/small/tables/changes.csv").is_file()
    assert (two_trees / "summary.md").read_text().count("###") == 1
    code, output = call("compare", "small", "../head/results/small")
    assert (code, "compare needs two runs" in output) == (2, True)


def test_an_error_of_bench_itself_is_no_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.cli.verbs.ab.measure", broken)
    code, output = call("ab", "--base", "main")

    assert code == 4
    assert "an error of bench itself" in output


@pytest.mark.slow
def test_a_base_that_does_not_import_is_one_line_and_exit_code_4(two_trees: Path) -> None:
    (two_trees / "base" / "ours.py").write_text("import nothing_of_this_name\n")
    code, output = call("ab", "--base", "../base", *AB)

    assert code == 4
    assert "base (../base) can't be measured: model ours:lenet: No module named 'nothing" in output
    assert not Path("results/small").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "--variant", "cpu-fast"), 2, "unknown variant 'cpu-fast'"),
        (("run", "--axis", "colour=red"), 2, "unknown axis 'colour'"),
        (("run", "--axis", "precision=fp8"), 2, "precision must be default, fp32, tf32, bf16, fp16, got 'fp8'"),
        (("run", "--preset", "slow"), 2, "unknown preset 'slow'"),
        (("run", "--device", "tpu"), 2, "device must be cpu, cuda, cuda:N, mps, xpu or xpu:N, got 'tpu'"),
        (("run", "--budget", "soon"), 2, "--budget reads"),
        (("run", "--run-id", "../x"), 2, "--run-id must be"),
        (("run", "--device", "cpu", "--data", "/nowhere"), 2, "/nowhere, is not a folder"),
        (("run", "--resume", "nothing"), 4, "no run"),
        (("report", "nothing"), 4, "no run"),
        (("ab",), 2, "ab needs --base REF"),
        (("ab", "--base", "no-such-ref", "--device", "cpu"), 2, "--base no-such-ref: neither a commit"),
        (("ab", "--base", "main", "--variant", "cpu-fast"), 2, "unknown variant 'cpu-fast'"),
        (("ab", "--resume", "nothing"), 4, "no run"),
        (("compare", "nothing"), 2, "compare needs two runs"),
        (("compare", "nothing", "nothing"), 2, "compare needs two runs"),
        (("compare", "nothing", "neither"), 4, "nothing: no run"),
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
    assert re.search(r"then 8 to 32 rounds of \d+ trials: about .* before any is measured, at most 20 min", output)


@pytest.mark.parametrize(("device", "kind"), [("mps", "MPS"), ("xpu:9", "XPU")])
def test_a_device_that_is_not_here_is_excluded_in_words_and_can_t_be_run(
    device: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if torch.device(device).type in str(torch.accelerator.current_accelerator(check_available=True)):
        pytest.skip(f"a device of the kind {kind} is here")
    code, listed = call("list", "--preset", "look", "--axis", f"device={device}")
    *variants, untested, last = listed.strip().splitlines()
    ran, refused = call("run", "--preset", "look", "--device", device)

    assert (code, len(variants)) == (0, 3)
    assert all(f"excluded: no {kind} device" in line for line in variants)
    assert untested.startswith(f"{kind} devices: untested")
    assert last == "none of 3 variants runs here"
    assert ran == 2
    assert f"no variant can run here: no {kind} device" in refused


@pytest.mark.slow
def test_a_run_of_inference_ends_in_a_page_with_percentiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[3]}")
    monkeypatch.chdir(tmp_path)
    code, output = call(
        "run", "--variant", "cpu-default-nhwc-eager-b8-models:lenet", "--mode", "infer", "--input", "1x28x28",
        "--rounds", "1", "--run-id", "small",
    )  # fmt: skip
    trials = read_rows(tmp_path / "results" / "small", TRIALS)[0]
    samples = read_rows(tmp_path / "results" / "small", SAMPLES)[0]
    page = (tmp_path / "reports" / "small" / "report.md").read_text()
    phases = {s["phase"] for s in samples if s["scope"] == "phase"}
    calls = [s["value"] for s in samples if s["metric"] == "latency_calls"]

    assert code == 0, output
    assert {("ok", "")} == {(t["status"], t["cause"]) for t in trials}, trials
    assert {str(t["variant_id"]) for t in trials} == {
        f"cpu-default-{layout}-eager-b8-infer-models:lenet" for layout in ("nchw", "nhwc")
    }
    assert phases == {"data", "h2d", "forward", "read"}
    assert {"latency_p50", "latency_calls"} <= {str(s["metric"]) for s in samples}
    assert not {"saved", "epoch", "gradient_error", "loss_error"} & {str(s["metric"]) for s in samples}
    assert all(1 <= float(str(count)) <= 300 for count in calls)
    assert re.search(r"\| call p50 \|( call p90 \|)?( call p99 \|)? calls a trial \|", re.sub(" +", " ", page))
    assert "p50" in output
