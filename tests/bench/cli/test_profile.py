"""`bench profile` and `bench micro` beside a run, and what they refuse."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import serve
from bench.cli.app import app
from bench.core.reading import read_rows
from bench.core.records import SAMPLES, TRIALS
from bench.core.traces import file_name, owner_of, range_name
from bench.core.variants import UsageError
from bench.run.profile import chosen
from bench.run.record import Run

LENET = "cpu-default-nchw-eager-b8-models:lenet"
NHWC = "cpu-default-nhwc-eager-b8-models:lenet"
BASE = "cpu-default-nchw-eager-b32"
MODEL = ("--model", "models:lenet")


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of LeNet, one round, to which a profile and the layers alone were added."""
    folder, models = tmp_path_factory.mktemp("run"), str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(models)
        patch.setenv("PYTHONPATH", models)
        options = ("--rounds", "1", "--budget", "none", "--run-id", "r")
        for words in (
            ("run", "--variant", NHWC, "--input", "1x28x28", *options),
            ("profile", "r", *MODEL, "--steps", "2"),
            ("profile", "r", *MODEL, "--variant", NHWC, "--steps", "2"),
            ("micro", *MODEL, "-q", "-k", "hot"),
        ):
            code, output = call(*words)
            assert 0 == code, output
    return folder


@pytest.mark.slow
def test_a_profile_is_added_to_a_run_and_counts_in_none_of_its_numbers(measured: Path) -> None:
    trials = read_rows(measured / "results" / "r", TRIALS)[0]
    profiles = [t for t in trials if t["stage"] == "profile"]
    samples = [s for s in read_rows(measured / "results" / "r", SAMPLES)[0] if s["trial_id"] == profiles[0]["trial_id"]]
    page = (measured / "reports" / "r" / "report.md").read_text()

    assert [("ok", "trace")] * len(profiles) == [(t["status"], t["probes"]) for t in profiles]
    assert {LENET, NHWC} == {t["variant_id"] for t in profiles}
    assert {"trace"} == {s["probe"] for s in samples}
    assert {"wall", "loss", "traced_wall", "stamped_wall"} <= {s["metric"] for s in samples}
    assert f"{len(trials) - len(profiles)} trials in all" in page
    for variant_id in (LENET, NHWC):
        assert (measured / "results" / "r" / "traces" / file_name(variant_id) / "trace.json.gz").is_file()
    assert "### baseline, traced" in page
    assert "2 steps of" in page


@pytest.mark.slow
def test_a_damaged_trace_is_a_warning_and_not_the_end_of_a_report(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(measured / "results", "results")
    (Path("results/r/traces") / file_name(NHWC) / "trace.json.gz").write_bytes(b"torn")
    code, output = call("report", "r")
    page = Path("reports/r/report.md").read_text()

    assert 0 == code, output
    assert "Warning: results/r/traces" in page
    assert "### baseline, traced" in page
    assert "### nhwc, traced" not in page


@pytest.mark.slow
def test_layers_alone_lie_beside_the_run_and_in_its_report(measured: Path) -> None:
    (file,) = (measured / "results" / "r" / "micro").glob("*/*.json")
    results = json.loads(file.read_text())["benchmarks"]
    told = {(r["extra_info"]["layer"], r["extra_info"]["phase"]) for r in results}
    page = (measured / "reports" / "r" / "report.md").read_text()

    assert {("features.0", "forward"), ("features.0", "backward"), ("classifier.2", "backward")} <= told
    assert {"hot"} == {r["extra_info"]["cache"] for r in results}
    assert {15} == {r["stats"]["rounds"] for r in results}
    assert "## Layers alone" in page
    assert "the layers sum to" in page
    assert "with cold ones" not in page  # hot alone was measured


@pytest.mark.slow
def test_what_profile_and_micro_refuse(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(measured)
    for words, code, told in (
        (("profile", "r", *MODEL, "--variant", BASE), 2, f"{BASE} is no variant that this run could measure"),
        (("profile", "r"), 2, "the run has the model 'models:lenet', which is code: name it again"),
        (("profile", "r", "--seed", "3"), 2, "RUN can't go with --seed"),
        (("profile", "r", "--device", "cpu"), 2, "RUN can't go with --device"),
        (("profile", "nothing"), 4, "no run"),
        (("micro", "--run", "nothing"), 4, "no run"),
        (("micro", *MODEL, "--variant", BASE), 2, f"{BASE} is no variant of"),
        (("tensorboard", "nothing", "--port", "6999"), 4, "no run"),
    ):
        found, output = call(*words)
        assert (code, True) == (found, told in output), output


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            UsageError, match=rf"port {port} of 127\.0\.0\.1 can't be used .*choose another with --port"
        ):
            serve.check(port)


def test_what_is_told_of_a_served_run() -> None:
    text = "\n".join(serve.lines(Path("results/r"), 6006, [BASE]))

    assert "http://127.0.0.1:6006/" in text
    assert "the browser loads its charts and its trace view from the internet" in text
    assert "results/r/traces/VARIANT/trace.json.gz at ui.perfetto.dev" in text
    assert "bench profile results/r adds traces" in "\n".join(serve.lines(Path("results/r"), 6006, []))


def test_only_variants_of_the_run_are_traced(start: Callable[..., Run]) -> None:
    run = start(BASE)

    assert [BASE] == [variant.id for variant in chosen(run, [BASE])]
    with pytest.raises(UsageError, match="no variant that this run could measure"):
        chosen(run, [LENET])


@pytest.mark.parametrize(
    "owner", [("0.2", "forward"), ("between", "backward"), ("", "data"), ("features.0", "backward")]
)
def test_a_range_s_name_tells_its_owner(owner: tuple[str, str]) -> None:
    assert owner == owner_of(range_name(owner))
    assert owner_of("Optimizer.step#Adam.step") is None
