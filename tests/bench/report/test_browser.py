"""The page in a browser without a network: what a reader does with it.

With the environment's NIN_SCREENSHOTS it leaves pictures of the page in that folder.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from bench.analyse.load import RunData
from bench.report import pages
from bench.report.formats import html
from bench.report.kineto import page as trace_page

pytestmark = [pytest.mark.slow, pytest.mark.rendered]
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
VARIANTS = "#variants table"
RECORDED = Path(__file__).parents[1] / "analyse" / "kineto" / "recorded" / "mi250.json.gz"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no chromium (Debian: chromium)")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        yield playwright.chromium.launch(executable_path=chromium, args=flags)


@pytest.fixture
def page(browser: Any, full_run: RunData, tmp_path: Path) -> Iterator[Page]:  # noqa: ANN401 - playwright's
    """The page of a run with everything."""
    yield from shown(browser, pages.write(full_run, tmp_path).folder)


@pytest.fixture
def traced(browser: Any, tmp_path: Path) -> Iterator[Page]:  # noqa: ANN401 - playwright's
    """The page of a recorded trace."""
    yield from shown(browser, trace_page.write([RECORDED], tmp_path).folder)


def shown(browser: Any, folder: Path) -> Iterator[Page]:  # noqa: ANN401 - playwright's
    """A page in a browser without a network, in which nothing goes wrong and which asks for no other file."""
    context = browser.new_context(viewport=WIDE, offline=True)
    opened, wrong, asked = context.new_page(), [], []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    address = (folder / html.NAME).as_uri()
    opened.goto(address)
    yield opened
    context.close()
    assert wrong == []
    assert {url.partition("#")[0] for url in asked} == {address}


def cells(page: Page, column: int) -> list[str]:
    rows = page.locator(f"{VARIANTS} tbody tr:visible")
    return [rows.nth(i).locator("th, td").nth(column).inner_text() for i in range(rows.count())]


def picture(page: Page, name: str, *, whole: bool = True) -> None:
    if folder := os.environ.get("NIN_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"page-{name}.png"), full_page=whole)


def test_a_column_is_sorted_by_its_values_and_then_the_other_way(page: Page) -> None:
    heading = page.locator(f"{VARIANTS} thead th").filter(has_text="step")
    before = cells(page, 2)
    heading.get_by_role("button").click()
    rising = page.locator(f"{VARIANTS} tbody tr td:nth-child(3)").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    once = cells(page, 2)

    assert heading.get_attribute("aria-sort") == "ascending"
    assert rising == sorted(rising)
    assert sorted(once) == sorted(before)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    known = [cell for cell in once if cell]
    assert cells(page, 2) == [*known[::-1], *[""] * (len(once) - len(known))]


def test_rows_are_filtered_by_words(page: Page) -> None:
    names = cells(page, 0)
    wanted = [name for name in names if "nhwc" in name]
    field = page.locator("#variants input").first
    field.fill("nhwc")

    assert 0 < len(wanted) < len(names)
    assert cells(page, 0) == wanted
    assert page.locator("#variants [role=status]").first.inner_text() == f"{len(wanted)} of {len(names)} rows"
    field.fill("")
    assert cells(page, 0) == names


def test_a_mark_shows_its_words_under_the_pointer(page: Page) -> None:
    tip = page.locator("#tip")
    mark = page.locator("#the-answer svg .tip").first
    mark.hover(force=True)

    assert tip.is_visible()
    assert "images/s" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_a_part_of_the_step_is_enlarged_and_the_whole_comes_back(page: Page) -> None:
    spans = page.locator(".icicle").first.locator(".span")
    whole, forward = spans.first, spans.filter(has_text="forward").first
    width = forward.bounding_box()["width"]  # type: ignore[index]
    forward.click()
    assert forward.bounding_box()["width"] == pytest.approx(whole.bounding_box()["width"], rel=0.01)  # type: ignore[index]
    whole.click()
    assert forward.bounding_box()["width"] == pytest.approx(width, rel=0.01)  # type: ignore[index]


def test_the_parts_of_a_step_are_reached_by_keys(page: Page) -> None:
    page.locator(".icicle .span").first.focus()
    page.keyboard.press("ArrowDown")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowRight")

    assert page.evaluate("document.activeElement.textContent") != first
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.textContent") == "step"


def test_the_tree_of_layers_opens(page: Page) -> None:
    page.get_by_text("as a tree").first.click()
    tree = page.locator(".tree").first
    held = tree.locator("details .row").nth(1)

    assert not held.is_visible()
    tree.locator("summary").first.click()
    assert held.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_and_accessible_in_both(page: Page, scheme: Any) -> None:  # noqa: ANN401 - a literal
    page.emulate_media(color_scheme=scheme)
    found = violations(page)
    picture(page, scheme)

    assert found == []


def test_the_page_of_a_trace_is_accessible(traced: Page) -> None:
    assert violations(traced) == []


def violations(page: Page) -> list[tuple[str, str, str]]:
    """What axe-core finds on a page with all its folds open."""
    for fold in page.locator("main details").all():
        fold.evaluate("fold => { fold.open = true; }")
    found = Axe().run(page).response["violations"]
    return [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found]


def test_the_button_changes_the_theme(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="dark or light").click()

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.get_by_role("button", name="dark or light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == before


def test_a_phone_scrolls_down_and_not_sideways(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.reload()
    picture(page, "phone")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_paper_all_is_open_and_afterwards_as_it_was(page: Page, tmp_path: Path) -> None:
    folds = page.locator("main details:not([open])")
    before = folds.count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folds.count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folds.count() == before
    paper = page.pdf(format="A4", path=tmp_path / "page.pdf")
    assert paper.startswith(b"%PDF")
