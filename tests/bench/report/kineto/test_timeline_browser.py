"""The timeline in a browser without a network: it draws, moves, zooms and names events by keyboard and mouse."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from bench.report.kineto import page as pages
from tests.bench.analyse.kineto.rules import document, gpu_events, write

pytestmark = [pytest.mark.slow, pytest.mark.rendered]
LEAST_PICTURE = 2000
"""The letters of a picture with something on it; an empty one packs better."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Page]:
    """The page of a trace. Nothing went wrong in it."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no chromium (Debian: chromium)")
    made = pages.write([write(tmp_path / "gpu.json", document(gpu_events()))], tmp_path / "out")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened, wrong = browser.new_context(offline=True).new_page(), []
        opened.on("console", lambda message: wrong.append(message.text))
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.goto((made.folder / "report.html").as_uri())
        yield opened
        browser.close()
    assert wrong == []


def painted(canvas: Locator) -> str:
    """The canvas as a picture."""
    canvas.page.wait_for_timeout(200)
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))


def test_a_reader_without_a_mouse_finds_each_event_and_zooms(opened: Page) -> None:
    view, status = opened.get_by_role("application"), opened.locator("figure.timeline [role=status]")
    canvas = view.locator("canvas")
    before = painted(canvas)
    view.focus()
    view.press("n")

    assert len(before) > LEAST_PICTURE
    assert "gemm (kernel): 70.00 µs" in status.inner_text()
    for _ in range(8):
        view.press("+")
    assert painted(canvas) != before
    view.press("0")
    view.press("n")
    view.press("n")
    assert "gemm (kernel): 10.00 µs" in status.inner_text()
    view.press("p")
    assert "ProfilerStep#6" in status.inner_text()


def test_a_name_shows_under_the_mouse_and_others_fade(opened: Page) -> None:
    view, status = opened.get_by_role("application"), opened.locator("figure.timeline [role=status]")
    box = view.bounding_box()
    assert box is not None
    painted(view.locator("canvas"))
    # The first track is the stream of kernels, its first row below the names; one runs from 60 to 130 of 210 us.
    opened.mouse.move(box["x"] + box["width"] * 95 / 210, box["y"] + 18 + 17 + 8)

    assert "gemm (kernel)" in status.inner_text()
    opened.get_by_label("highlight a name in the timeline").fill("memset")
    view.press("n")
    assert "Memset (memset): 10.00 µs, from 65.00 µs" in status.inner_text()
