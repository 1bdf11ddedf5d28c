"""A stranger's run, damaged in any way, does no harm: an exit code, one line, and nothing outside the named folders.

NIN_FUZZ=5000 nox -s tests -- -k fuzz tries more mutations than CI does.
"""

import functools
import gzip
import json
import os
import random
import shutil
import zlib
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from bench.cli.app import app
from bench.cli.verbs.pages import write_profile
from bench.core.facts import Environment
from bench.core.header import Data, Inputs, read_run
from bench.core.progress import RunProgress
from bench.core.records import RecordError
from bench.core.variants import UsageError
from bench.plan.choices import Choices
from bench.report.figures import saving
from bench.run.prepare import reopen
from bench.run.prepare.inputs import find_inputs

MUTATIONS = int(os.environ.get("NIN_FUZZ", "300"))
SEED = int(os.environ.get("NIN_FUZZ_SEED", "0"))
CODES = {0, 2, 4}
BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
NASTY: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**80, -0.5, 1e-320, 1e300, "", "x", "nan", "inf", "NA", "..", "../..", "/etc",
    "../../outside/kept.txt", "a|b`c`<script>alert(1)</script>", "\x1b[31mred\x07", "line\nline\r\n", "$\\frac{",
    "[red]",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil", "x" * 5000, [], {}, [[]], [1], {"a": 1}, "cuda:99", "-rf", "~/x", "\0",
    "cpu-default-nchw-eager-b8-os:system", "os:system", "libevil.so", KEPT, BASE, "t00001", "measure", "A'",
]  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `results` in it, a run with a trace and layers alone, and `outside`, which nobody names."""
    return tmp_path_factory.mktemp("scene")


@pytest.fixture
def sound(make_run: Callable[..., Path], cuda_trace: Path) -> Path:
    """A sound run with every file that a run may have."""
    layers = (("0", "Conv2d", 0.2, 0.5), ("1", "ReLU", 0.1, 0.17))
    jitter = [1.0, 1.02, 0.99, 1.01, 1.03, 0.98, 1.0, 0.97]
    arms = ((BASE, "A", 1.0), (BASE, "A'", 1.01), (KEPT, "V", 0.5))
    steps = {(v, arm): [step_s * j for j in jitter[i:] + jitter[:i]] for i, (v, arm, step_s) in enumerate(arms)}
    folder = make_run(steps, layers=layers, memory={BASE: {"process_peak": 1e9, "allocator_peak": 1e8}})
    (folder / "traces" / BASE).mkdir(parents=True)
    shutil.copy(cuda_trace, folder / "traces" / BASE / "trace.json.gz")
    (folder / "traces" / BASE / "fusion.json").write_text(json.dumps({"forward": [["gemm", ["0", "1"]]]}))
    (folder / "micro" / "here").mkdir(parents=True)
    info = {"variant_id": BASE, "cache": "hot", "page_faults": 1.0}
    results = [
        {"extra_info": info | {"layer": layer, "phase": phase}, "stats": {"median": 0.1, "rounds": 5}}
        for layer in "01"
        for phase in ("forward", "backward")
    ]
    (folder / "micro" / "here" / "one.json").write_text(json.dumps({"benchmarks": results}))
    return folder


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """The path of every value within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def mutated_json(text: str, rng: random.Random) -> str:
    """The text with a value changed, taken away, or doubled."""
    whole = json.loads(text)
    *path, last = rng.choice(list(places(whole)))
    inner = whole
    for key in path:
        inner = inner[key]
    how = rng.random()
    if how < 0.2:
        del inner[last]
    elif how < 0.3 and isinstance(inner, list):
        inner.append(inner[last])
    elif how < 0.4 and isinstance(inner, dict):
        inner[str(rng.choice(NASTY))] = inner[last]
    else:
        inner[last] = rng.choice(NASTY)
    return json.dumps(whole)


def mutated_csv(text: str, rng: random.Random) -> str:
    """The text with a field changed, or a line taken away, doubled or moved."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    how = rng.random()
    if how < 0.1:
        del lines[at]
    elif how < 0.2:
        lines.insert(rng.randrange(len(lines)), lines[at])
    else:
        fields = lines[at].split(",")
        other = rng.choice(lines).split(",")
        value = rng.choice([str(rng.choice(NASTY)), rng.choice(other)])
        fields[rng.randrange(len(fields))] = rng.choice([value, '"' + value.replace('"', '""') + '"'])
        lines[at] = ",".join(fields)
    return "\n".join(lines)


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """The content cut, or with some bytes changed."""
    if rng.random() < 0.3:
        return content[: rng.randrange(len(content) + 1)]
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def mutate(folder: Path, rng: random.Random) -> None:
    """Damage one file of a run."""
    path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    packed = path.suffix == ".gz" and rng.random() < 0.9
    try:
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error):  # it was damaged before
        packed, content = False, path.read_bytes()
    if rng.random() < 0.15 or (path.suffix == ".gz" and not packed):
        content = mutated_bytes(content, rng)
    else:
        change = mutated_csv if path.suffix == ".csv" else mutated_json
        content = change(content.decode(), rng).encode(errors="surrogatepass")
    path.write_bytes(gzip.compress(content) if packed else content)


@functools.cache
def found_inputs(choices: Choices) -> tuple[Inputs, Data]:
    """The images that a call finds, read once: they are no part of a run's files."""
    return find_inputs(choices)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def call(*arguments: str) -> None:
    """Call a verb; what it says and how it ends is as documented."""
    result = CliRunner().invoke(app, arguments)

    assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    assert result.exit_code in CODES
    assert "Traceback" not in result.output
    if result.exit_code:
        assert len(result.output.strip().splitlines()[-1]) < 1000


def resume(folder: Path) -> None:
    """Open a run to go on with it, as `--resume` does before it takes the first trial."""
    try:
        run = reopen.go_on(Choices(), folder, RunProgress(Console(file=StringIO())))
    except (RecordError, UsageError) as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
        return
    run.folder.close()
    assert {entry.variant.model for entry in run.entries} == {"nin"}
    assert run.libraries == {}
    assert set(run.trees) == set()


@seed(SEED)
@settings(
    max_examples=MUTATIONS, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(which=st.integers(0, 2**32))
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Precision loss occurred:RuntimeWarning")
def test_fuzz_a_damaged_run_ends_in_an_exit_code_and_touches_nothing_else(
    which: int, sound: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(which)  # noqa: S311 - no secret
    shutil.rmtree(scene)
    shutil.copytree(sound, scene / "results" / "run")
    shutil.copytree(sound, scene / "results" / "other")
    (scene / "outside").mkdir()
    (scene / "outside" / "kept.txt").write_text("kept")
    monkeypatch.chdir(scene)
    monkeypatch.setattr(saving, "png", lambda _: b"")  # drawing is slow, and is held by a test of its own
    here = read_run(Path("results/run")).environment
    monkeypatch.setattr(reopen, "environment", lambda: Environment(**{n: getattr(here, n) for n in ("cpu", "cores")}))
    monkeypatch.setattr(reopen, "SAME", ("cpu",))
    monkeypatch.setattr(reopen, "find_inputs", found_inputs)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        try:
            mutate(scene / "results" / "run", rng)
        except (ValueError, IndexError):  # what was damaged before can't be read to be damaged again
            break
    before = contents(scene)

    call("report", "results/run", "--out", "reports")
    call("compare", "results/other", "results/run", "--out", "reports")
    board(scene)
    assert before == {name: content for name, content in contents(scene).items() if not name.startswith("reports/")}
    resume(scene / "results" / "run")
    left = {n: c for n, c in contents(scene).items() if not n.startswith(("reports/", "results/run/"))}
    assert left == {n: c for n, c in before.items() if not n.startswith("results/run/")}


def board(scene: Path) -> None:
    """Prepare what TensorBoard shows, without serving it."""
    try:
        write_profile(scene / "results" / "run", scene / "reports")
    except typer.Exit as end:
        assert end.exit_code in CODES  # noqa: PT017 - either outcome is right
