"""How large report.html of a large run is, and how fast a browser shows it: 60 variants, 500 layers.

    python -m benchmarks.page

The run is generated. Prints megabytes, and for each of three fresh openings in Chromium without a network the
milliseconds to the first paint and to the end of loading, and those of sorting and of filtering the largest table.
"""

import shutil
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from bench.core.variants import Variant
from benchmarks.scale import generate, timed

LAYERS, OPENINGS = 500, 3
VARIANTS = [
    Variant(memory_format=memory_format, allocator=allocator, optimizer=optimizer, threads=threads)
    for memory_format, allocator, optimizer, threads in product(
        ("nchw", "nhwc"), ("default", "kept", "hugepages"), ("default", "fused"), (None, 1, 2, 3, 4)
    )
]
PAINT = "performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint').startTime"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
LARGEST = """
const cells = table => table.rows.length * table.rows[0].cells.length;
const largest = [...document.querySelectorAll('table')].reduce((a, b) => cells(b) > cells(a) ? b : a);
const timed = (act) => {
  const at = performance.now();
  act();
  document.body.offsetHeight;
  return performance.now() - at;
};
"""
SORT = f"() => {{ {LARGEST} return timed(() => largest.querySelectorAll('th button')[1].click()); }}"
FILTER = f"""() => {{ {LARGEST}
  const field = largest.closest('section').querySelector('input');
  return timed(() => {{ field.value = 'nhwc'; field.dispatchEvent(new Event('input')); }});
}}"""


def main() -> None:
    """Generate a run, write its page, and open it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium")  # noqa: TRY003 - a script
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "results" / "generated"
        count = generate(folder, 1, VARIANTS, LAYERS)
        timed(
            f"report of {len(VARIANTS)} variants, {count:,} samples",
            "report",
            str(folder),
            "--out",
            f"{scratch}/reports",
        )
        page = Path(scratch) / "reports" / "generated" / "report.html"
        print(f"report.html: {page.stat().st_size / 1e6:.2f} MB")
        with sync_playwright() as playwright:
            for _ in range(OPENINGS):
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
                print(", ".join(f"{name} {value:.0f} ms" for name, value in opened(browser, page).items()))
                browser.close()


def opened(browser: Any, page: Path) -> dict[str, float]:  # noqa: ANN401 - playwright's
    """Milliseconds of one opening."""
    shown = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True).new_page()
    shown.goto(page.as_uri())
    return {
        "first paint": shown.evaluate(PAINT), "loaded": shown.evaluate(LOADED), "sorted": shown.evaluate(SORT),
        "filtered": shown.evaluate(FILTER),
    }  # fmt: skip


if __name__ == "__main__":
    main()
