"""The page of `ab`, from made-up trees."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.analyse.load import load
from bench.core.header import Tree, Trees
from bench.report import pages
from bench.report.render import terminal
from bench.report.sides import ab

pytestmark = pytest.mark.rendered

BASE = "cpu-default-nchw-eager-b32"
PLANTED = [
    (BASE, "step", "", "", "SLOWER"),
    (BASE, "phase", "", "forward", "SLOWER"),
    (BASE, "layer", "1.0", "forward", "SLOWER"),
]
MakeAb = Callable[..., Path]
Steps = Callable[..., dict[tuple[str, str], list[float]]]


def test_the_page_names_what_changed_and_how_surely(make_ab: MakeAb, tmp_path: Path, arms: Steps, fresh: Steps) -> None:
    folder = make_ab(arms(9, 0.1), confirm=fresh(0.1), extra={"1.0": 0.1}, flagged=PLANTED)
    page = pages.write_ab(load(folder), tmp_path)
    text = page.path.read_text()

    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "What changed", "Steps", "Phases and layers", "Failures and exclusions", "How it was measured", "Environment",
        "Reproduce",
    ]  # fmt: skip
    assert "made-up: this tree (bbbb00000000) against main (aaaa00000000)" in text
    told = re.findall(
        r"^- \*\*SLOWER\*\* default settings, (.*?): .*, while the base takes .*, adjusted p < 1e-6\)\.",
        text,
        re.MULTILINE,
    )
    assert told == ["step", "forward", "1.0 forward"]
    assert "nox -s ab -- --base main" in text
    assert "20 fresh ones of what they flagged" in text
    assert (tmp_path / "made-up" / "figures" / "changes.png").stat().st_size > 5000
    assert (tmp_path / "made-up" / "tables" / "changes.csv").is_file()


@pytest.mark.parametrize(
    ("name", "commit", "shown"),
    [
        ("main", "a" * 40, "main (aaaaaaaaaaaa)"),
        ("a" * 40, "a" * 40, "aaaaaaaaaaaa"),
        ("aaaaaaaaaaaa", "a" * 40, "aaaaaaaaaaaa"),
        ("this tree", f"{'b' * 40}+", "this tree (bbbbbbbbbbbb+)"),
        ("../other", None, "../other"),
    ],
)
def test_a_tree_is_named_once(name: str, commit: str | None, shown: str, make_ab: MakeAb, arms: Steps) -> None:
    run = load(make_ab(arms(6))).run
    tree = Tree(name=name, commit=commit, digest="x")

    assert ab.tree_words(msgspec.structs.replace(run, trees=Trees(base=tree, head=tree)), "base") == shown


def test_equal_trees_are_told_and_an_undecided_step_says_what_it_would_have_shown(
    make_ab: MakeAb, tmp_path: Path, arms: Steps
) -> None:
    page = pages.write_ab(load(make_ab(arms(6, 0.03), digests=("cccc", "cccc"))), tmp_path)
    text = page.path.read_text()

    assert "Both trees hold the same files" in text
    assert "- No change was confirmed." in text
    assert re.search(
        r"- default settings, step: UNDECIDED\. A change of [\d.]+ % would have been seen in four runs of five\.", text
    )


def test_the_summary_is_what_a_pull_request_shows(make_ab: MakeAb, tmp_path: Path, arms: Steps) -> None:
    steps = arms(9, variant_id="cpu-default-nhwc-eager-b32")
    page = pages.write_ab(load(make_ab(steps, failed={(BASE, "head"): ("error", "a | b")})), tmp_path)
    text = page.summary

    assert text.startswith("### nin-bench: NOT COMPARABLE: this tree (bbbb00000000) against main (aaaa00000000)\n\n")
    assert "- **default settings is INVALID**: head died in 1 of 1 trials, the last with error: a | b." in text
    assert text == page.path.with_name("summary.md").read_text()


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_run_that_was_cut_has_a_page_too(rounds: int, make_ab: MakeAb, tmp_path: Path, arms: Steps) -> None:
    text = pages.write_ab(load(make_ab(arms(rounds, 0.5))), tmp_path).path.read_text()

    assert ("step: UNDECIDED (3 rounds, and 6 are the least)" if rounds else "INVALID") in text


def faults(head: float) -> dict[str, float]:
    return {"A": 2, "A'": 2, "V": head}


def test_more_page_faults_are_a_line_in_their_own_words_and_counts(
    make_ab: MakeAb, tmp_path: Path, arms: Steps, fresh: Steps
) -> None:
    declared = [(BASE, "step", "", "", "MORE FAULTS", "page_faults")]
    folder = make_ab(arms(12), confirm=fresh(), flagged=declared, faults=faults(2010), confirm_faults=faults(2010))
    text = pages.write_ab(load(folder), tmp_path).path.read_text()

    assert re.findall(r"^- \*\*.*", text, re.MULTILINE) == [
        "- **MORE FAULTS** default settings, page faults: 3 -> 2,010 a step "
        "(confirmed in 20 fresh rounds, adjusted p < 1e-6)."
    ]
    row = next(line for line in text.splitlines() if line.startswith("|") and "page faults" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "default settings", "page faults", "3", "2,010", "", "", "MORE FAULTS", "20 fresh",
    ]  # fmt: skip


def test_the_page_and_the_terminal_say_which_allocator_it_judged_on(
    make_ab: MakeAb, tmp_path: Path, arms: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    page = pages.write_ab(load(make_ab(arms(6, variant_id=f"{BASE}-kept"))), tmp_path)
    terminal.show_ab(page)
    printed = " ".join(capsys.readouterr().out.split())

    for text in (page.path.read_text(), page.summary):
        assert "On the CPU the allocator is `kept`:" in text
        assert "`--axis allocator=default`" in text
    assert "On the CPU the allocator is kept:" in printed
    assert "--axis allocator=default" in printed


@pytest.mark.parametrize("ids", [[BASE], [BASE, f"{BASE}-kept"], ["cuda-default-nchw-eager-b32-kept"]])
def test_who_measures_with_the_default_allocator_is_not_sent_to_it(
    ids: list[str], make_ab: MakeAb, arms: Steps
) -> None:
    steps = {key: values for i in ids for key, values in arms(6, variant_id=i).items()}

    assert ab.allocator_words(load(make_ab(steps))) == []
