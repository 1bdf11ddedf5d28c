"""False alarms and hits of `bench ab`: this tree beside a copy of itself, identical or with one layer slowed.

`python -m benchmarks.answer --ab` calls it. In the slowed copy the 5x5 convolution of NiN's second block (`2.0`) waits
before each forward, without yielding its core. How long a step is comes from a short `bench ab` of the identical copies
with the same options, which no disturber disturbs. So P is exact for the first variant, and on a machine that is
slower later the wait is a smaller share of a step.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.analyse.ab.cells import Change
from bench.analyse.ab.changes import changes
from bench.analyse.load import load
from bench.core.header import read_run
from bench.core.records import RecordError
from benchmarks.calls import Row, append, call, rows_of, show
from benchmarks.disturber import ROOT

LAYER = "2.0"
SLOWER = """

def _slowed(self, *args, **kwargs):
    _build(self, *args, **kwargs)
    self[2][0].register_forward_pre_hook(_wait)


def _wait(*_):
    import time

    end = time.perf_counter() + {seconds!r}
    while time.perf_counter() < end:
        pass


_build, NiN.__init__ = NiN.__init__, _slowed
"""
"""What is added to nin/model.py."""


def measure(out: Path, runs: int, percent: float, more: Sequence[str], *, disturb: bool) -> None:
    """Call `bench ab` as often as asked, and print what all calls in the folder gave."""
    base, head = (out / "trees" / name for name in ("base", "head"))
    if runs:
        copy(base)
        copy(head)
        if percent:
            plant(head, percent / 100 * step_s(out, head, base, more))
    for _ in range(runs):
        number = 1 + len(rows_of(out / "ab.csv"))
        name = f"ab-{number:02d}"
        called = call(ab(out, base, name, more), head, out / f"{name}.txt", disturb=number if disturb else None)
        known = {"run": name, "planted": f"{percent:g} %", "disturbed": "yes" if disturb else "no"}
        row = {**known, "exit": called.code, "minutes": f"{called.minutes:.1f}", **words(out / name)}
        append(out / "ab.csv", row)
        show([row])
    show(rows_of(out / "ab.csv"))
    show(summary(rows_of(out / "ab.csv")))


def ab(out: Path, base: Path, name: str, more: Sequence[str]) -> list[str]:
    """The arguments of a call."""
    return ["ab", "--base", str(base), "--out", str(out), "--reports", str(out / "reports"), "--run-id", name, *more]


def copy(target: Path) -> None:
    """Copy this tree's files as they are now, without what git ignores."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "bench", "nin", "nin_bench.py"],  # noqa: S607
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def step_s(out: Path, head: Path, base: Path, more: Sequence[str]) -> float:
    """Seconds of a step of the first variant, from the pilot of one `bench ab`."""
    name = "calibration"
    shutil.rmtree(out / name, ignore_errors=True)
    call([*ab(out, base, name, more), "--rounds", "1"], head, out / f"{name}.txt")
    return next(iter(read_run(out / name).learned.step_s.values()))


def plant(tree: Path, seconds: float) -> None:
    """Let one layer of a tree wait before each forward."""
    with (tree / "nin" / "model.py").open("a", encoding="utf-8") as file:
        file.write(SLOWER.format(seconds=seconds))
    print(f"planted {1e3 * seconds:.1f} ms in each forward of {LAYER}", flush=True)


def words(folder: Path) -> dict[str, str]:
    """The cells that fresh rounds confirmed, and those that they did not; blank if there is no run."""
    try:
        cells = changes(load(folder))
    except RecordError:  # the call ended before it measured anything: its output says why
        cells = []
    return {
        "confirmed": "; ".join(cell_words(c) for c in cells if c.confirmed is True),
        "not confirmed": "; ".join(cell_words(c) for c in cells if c.confirmed is False),
    }


def cell_words(cell: Change) -> str:
    """A cell with its word and ratio: `2.0 forward SLOWER 0.905`."""
    return f"{cell.name} {cell.flag or 'noisy'} {cell.ratio.estimate:.3f}"


def summary(rows: Sequence[dict[str, str]]) -> list[Row]:
    """How often each exit code and each confirmed word came, by what was planted and whether it was disturbed."""
    kinds = dict.fromkeys((row["planted"], row["disturbed"]) for row in rows)
    return [summary_row(kind, [row for row in rows if (row["planted"], row["disturbed"]) == kind]) for kind in kinds]


def summary_row(kind: tuple[str, str], rows: Sequence[dict[str, str]]) -> Row:
    """The counts of one kind: runs in which a word was confirmed of the step, of the slowed layer, or elsewhere."""
    codes = Counter(row["exit"] for row in rows)
    cells = [[cell.rsplit(" ", 2)[:2] for cell in filter(None, row["confirmed"].split("; "))] for row in rows]
    return {
        "planted": kind[0],
        "disturbed": kind[1],
        "runs": len(rows),
        "exit codes": ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
        "step SLOWER": sum(["step", "SLOWER"] in of_run for of_run in cells),
        f"{LAYER} forward SLOWER": sum([f"{LAYER} forward", "SLOWER"] in of_run for of_run in cells),
        "any SLOWER": sum(any(word == "SLOWER" for _, word in of_run) for of_run in cells),
        "any FASTER": sum(any(word == "FASTER" for _, word in of_run) for of_run in cells),
    }
