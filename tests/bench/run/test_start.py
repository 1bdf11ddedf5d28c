"""What a call on a machine comes to: which variants run, and what is said of the others."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bench.cli.calls import entries_of
from bench.core.facts import Environment
from bench.core.header import Tree, Trees
from bench.core.progress import RunProgress
from bench.core.reading import read_rows
from bench.core.records import VARIANTS
from bench.core.variants import UsageError
from bench.plan.choices import Choices
from bench.run.prepare import listing, start, trees
from bench.run.prepare.dry import DryRun
from bench.run.record import Run

OLD_DRIVER = {"driver": "535.183.01", "torch": "2.14.1", "cuda": "13.0", "cores": 2, "cxx_compiler": "g++"}
NONE = {"torch": "2.14.1", "cuda": "13.0", "cores": 2, "cxx_compiler": "g++"}
TOO_OLD = "NVIDIA's driver 535.183.01 is too old for torch 2.14.1"


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Run, str]]:
    """Begin a run of a verb on a machine with these facts; it, and what it said."""

    def begun(facts: dict[str, Any], **choices: Any) -> tuple[Run, str]:  # noqa: ANN401
        monkeypatch.setattr(start, "environment", lambda: msgspec.convert(facts, Environment))
        monkeypatch.setattr(start, "scratch_of", lambda folder: tmp_path / "scratch" / folder.name)
        base, head = (Tree(name=name, commit=None, digest="0") for name in ("base", "head"))
        monkeypatch.setattr(trees, "take", lambda _base, _scratch, _task: Trees(base=base, head=head))
        monkeypatch.setattr(DryRun, "check_tree", lambda *_: None)
        chosen, shown = Choices(run_id="made", **choices), StringIO()
        progress = RunProgress(Console(file=shown, width=1000))
        run = start.start(chosen, entries_of(chosen), tmp_path / "made", progress)
        run.folder.close()
        return run, shown.getvalue()

    return begun


@pytest.mark.parametrize("kind", ["run", "ab", "profile"])
def test_a_gpu_that_this_torch_cant_use_is_told_though_nobody_asked_for_it(
    kind: str, begin: Callable[..., tuple[Run, str]]
) -> None:
    run, shown = begin(OLD_DRIVER, kind=kind, base="main" if kind == "ab" else None)
    rows = read_rows(run.folder.folder, VARIANTS)[0]

    assert {entry.variant.device for entry in run.entries} == {"cpu"}
    assert shown.count(TOO_OLD) == 1
    assert "NIN_PYTHON" in shown
    assert {str(row["excluded_reason"])[: len(TOO_OLD)] for row in rows if row["device"] == "cuda"} == (
        {TOO_OLD} if kind == "run" else set()
    )


def test_where_there_is_no_gpu_none_is_missed(begin: Callable[..., tuple[Run, str]]) -> None:
    assert "CUDA" not in begin(NONE)[1]


def test_who_asks_for_a_gpu_gets_the_reason(begin: Callable[..., tuple[Run, str]]) -> None:
    with pytest.raises(UsageError, match=TOO_OLD):
        begin(OLD_DRIVER, device="cuda")


def test_list_tells_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "environment", lambda: msgspec.convert(OLD_DRIVER, Environment))
    chosen = Choices(preset="look", device="cuda")

    assert listing.describe(chosen, entries_of(chosen)).count(f"excluded: {TOO_OLD}") == 3


@pytest.mark.parametrize("session", [None, "bench"])
def test_a_run_notes_whether_nox_began_it(
    session: str | None, begin: Callable[..., tuple[Run, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    if session:
        monkeypatch.setenv("NOX_CURRENT_SESSION", session)

    assert begin(NONE)[0].header.by_nox is bool(session)


GLIBC = NONE | {"libc": "glibc 2.36"}


@pytest.mark.parametrize(
    ("facts", "choices", "allocators"),
    [
        (GLIBC, {"kind": "ab"}, {"kept"}),
        (GLIBC, {"kind": "ab", "axes": ("batch_size=4,8",)}, {"kept"}),
        (GLIBC, {"kind": "ab", "axes": ("allocator=default",)}, {"default"}),
        (GLIBC, {"kind": "ab", "axes": ("allocator=default,kept",)}, {"default", "kept"}),
        (GLIBC, {"kind": "ab", "variants": ("cpu-default-nchw-eager-b8",)}, {"default"}),
        (GLIBC, {"kind": "profile"}, {"default"}),
        (NONE | {"libc": "musl 1.2"}, {"kind": "ab"}, {"default"}),
        (NONE, {"kind": "ab"}, {"default"}),
    ],
)
def test_ab_keeps_freed_memory_if_it_can_and_the_call_names_no_allocator(
    facts: dict[str, Any], choices: dict[str, Any], allocators: set[str], begin: Callable[..., tuple[Run, str]]
) -> None:
    run, _ = begin(facts, base="main" if choices["kind"] == "ab" else None, **choices)
    rows = read_rows(run.folder.folder, VARIANTS)[0]

    assert {entry.variant.allocator for entry in run.entries} == allocators
    assert {row["allocator"] for row in rows if row["device"] == "cpu"} == allocators
