"""The real TensorBoard over a fresh profile: what its routes give is held against the trace as torch wrote it."""

import gzip
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from bench.analyse.traces import mend
from bench.cli.app import app
from bench.cli.serve import command
from bench.core.traces import file_name

pytestmark = pytest.mark.rendered

pytest.importorskip("tensorboard")
pytest.importorskip("torch_tb_profiler")

VARIANT = "cpu-default-nhwc-eager-b8-models:lenet"
RUN = file_name(VARIANT)
PLUGIN = "pytorch_profiler"
WAIT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Board:
    """A TensorBoard that is being served."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def get(self, route: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        url = f"{self.address}/data/plugin/{route}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
            content = answer.read()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        return json.loads(content)

    def wait_for(self, run: str) -> None:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            try:
                answer = self.get(f"{PLUGIN}/runs")
                if run in answer["runs"] and not answer["loading"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.2)
        pytest.fail(f"{run} was not served within {WAIT_S:.0f} s")


def serve(folder: Path, log: Path) -> Iterator[Board]:
    port = free_port()
    with log.open("wb") as file:
        process = subprocess.Popen(command(folder, port), stdout=file, stderr=file)
        try:
            yield Board(port)
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile of LeNet: results/p and reports/p."""
    folder, models = tmp_path_factory.mktemp("profile"), str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(models)
        patch.setenv("PYTHONPATH", models)
        result = CliRunner().invoke(app, ["profile", "--variant", VARIANT, "--input", "1x28x28", "--run-id", "p"])
    assert 0 == result.exit_code, result.output
    return folder


@pytest.fixture(scope="module")
def served(profiled: Path) -> Iterator[Board]:
    for found in serve(profiled / "reports" / "p" / "tensorboard", profiled / "log"):
        found.wait_for(RUN)
        yield found


@pytest.mark.slow
def test_the_page_of_a_profile_is_made_again_as_it_was(profiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(profiled)
    page = (profiled / "reports" / "p" / "report.md").read_text()
    result = CliRunner().invoke(app, ["report", "p", "--out", "again"])

    assert 0 == result.exit_code, result.output
    assert page == (profiled / "again" / "p" / "report.md").read_text()
    assert page.startswith("# Profile p")


def of_run(served: Board, route: str, **more: str) -> Any:  # noqa: ANN401
    return served.get(f"{PLUGIN}/{route}", run=RUN, worker="nin-bench", span="default", **more)


@pytest.mark.slow
def test_all_views_are_there_and_not_empty(served: Board) -> None:
    modules = of_run(served, "module")["data"]

    assert ["Overview", "Operator", "Trace", "Memory", "Module"] == served.get(f"{PLUGIN}/views", run=RUN)
    assert ["LeNet"] == [m["name"] for m in modules]
    assert ["features Sequential", "classifier Sequential"] == [m["name"] for m in modules[0]["children"]]
    assert "features.0 Conv2d" in {m["name"] for child in modules[0]["children"] for m in child["children"]}
    assert of_run(served, "memory")["metadata"]["default_device"] == "CPU"
    assert len(of_run(served, "trace")["traceEvents"]) > 100


@pytest.mark.slow
def test_the_loader_takes_the_time_that_the_trace_has_for_it(served: Board, profiled: Path) -> None:
    raw = mend.read(profiled / "results" / "p" / "traces" / RUN / "trace.json.gz")["traceEvents"]
    data_us = [e["dur"] for e in raw if e.get("name") == "phase data"]
    performance = of_run(served, "overview")["performance"][0]
    loader = next(part for part in performance["children"] if part["name"] == "DataLoader")

    assert 3 == len(data_us)
    assert sum(data_us) / 3 == pytest.approx(loader["value"], rel=0.01, abs=1)


@pytest.mark.slow
def test_operators_take_the_time_that_the_trace_has_for_them(served: Board, profiled: Path) -> None:
    raw = mend.read(profiled / "results" / "p" / "traces" / RUN / "trace.json.gz")["traceEvents"]
    expected_us: dict[str, float] = defaultdict(float)
    for event in raw:
        if event.get("cat") == "cpu_op":
            expected_us[event["name"]] += event["dur"]
    table = of_run(served, "operation/table", group_by="Operation")["data"]
    found_us = {row["name"]: row["host_total_duration"] for row in table}
    heavy = sorted((n for n in found_us if n in expected_us), key=lambda n: -expected_us[n])[:15]

    assert len(heavy) == 15
    for name in {*heavy, "aten::convolution_backward"}:
        assert found_us[name] == pytest.approx(expected_us[name], rel=0.01, abs=5), name


@pytest.mark.slow
def test_tensorboard_s_own_tabs_have_our_numbers(served: Board) -> None:
    scalars = served.get("scalars/scalars", run=RUN, tag="step/loss")
    url, asked = f"{served.address}/data/plugin/hparams/experiment", b'{"experimentName": ""}'
    request = urllib.request.Request(url, asked, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        experiment = json.loads(answer.read())

    assert [0, 1, 2] == [step for _, step, _ in scalars]
    assert all(1.5 < value < 3.5 for _, _, value in scalars)  # ln 10 = 2.30
    assert "step/seconds" in served.get("scalars/tags")[RUN]
    assert "memory_format" in {info["name"] for info in experiment["hparamInfos"]}
    assert "variant/items_per_s" in {info["name"]["tag"] for info in experiment["metricInfos"]}
    assert any("What the profiler saw" in tag for tag in served.get("text/tags")["report"])
    assert "memory-trace" in served.get("images/tags")["report"]


@pytest.mark.slow
def test_kernels_of_a_device_land_on_the_operators_that_launched_them(cuda_trace: Path, tmp_path: Path) -> None:
    mend.write(cuda_trace, tmp_path / "logs" / RUN / mend.FILE)
    for served in serve(tmp_path / "logs", tmp_path / "log"):
        served.wait_for(RUN)
        table = of_run(served, "operation/table", group_by="Operation")["data"]
        advice = of_run(served, "overview")["recommendations"]

    device_us = {row["name"]: row.get("device_self_duration") for row in table}
    assert 300 == device_us["aten::cudnn_convolution"]
    assert 200 == device_us["aten::convolution_backward"]
    assert 0 == device_us["aten::index"]
    assert "Automatic Mixed Precision" in advice


@pytest.fixture(scope="module")
def page(served: Board) -> Iterator[Any]:
    """A page of headless Chromium that reaches this machine alone."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no chromium (Debian: chromium)")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.route("**/*", lambda route: route.continue_() if served.address in route.request.url else route.abort())
        opened.set_default_timeout(30_000)
        yield opened
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("scalars", ["step/loss", "step/seconds"]),
        ("hparams", ["images a second", "seconds a step", VARIANT]),
        ("text", ["What the profiler saw", "aten::convolution_backward"]),
        ("images", ["memory-trace"]),
    ],
)
def test_a_browser_without_the_internet_finds_our_data(
    page: Any,  # noqa: ANN401 - playwright's
    served: Board,
    tab: str,
    words: list[str],
) -> None:
    page.goto("about:blank")
    page.goto(f"{served.address}/#{tab}")
    for word in words:
        page.get_by_text(word).first.wait_for(state="attached")
    if tab == "images":
        page.wait_for_function(DRAWN)
    if folder := os.environ.get("NIN_SCREENSHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(folder) / f"{tab}.png"))


DRAWN = """() => {
    const all = root => [...root.querySelectorAll('*')].flatMap(e => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
    return all(document).some(e => e.tagName == 'IMG' && e.naturalWidth > 300);
}"""
"""Whether an image of the size of a figure is drawn, in whichever shadow root."""
