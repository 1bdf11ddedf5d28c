"""Text of any kind: stored as it was, shown so that it steers nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from bench.analyse.frames import read_frame
from bench.core import text
from bench.core.header import Header, read_run
from bench.core.reading import read_rows
from bench.core.records import LAYERS, SAMPLES, TRIALS, RecordError
from bench.run.folder import RunFolder

HOSTILE = [
    "a|b", "`", "```", "<script>alert(1)</script>", "</td></tr>", "a\nb", "a\r\nb", "\r", "\n", ",", '"', 'a"b',
    '"a"', "\x1b[31mred\x1b[0m", "\x07", "\x9b31m", "$\\frac{", "$x$", "[red]x[/red]",
    "[link=http://evil.example]x[/link]", "[x](http://evil.example)", "![x](http://evil.example/x.png)",
    "<http://evil.example>", "www.evil.example", ":smile:", "x" * 5000, "\ud800", "\udc80 and \ud83d\ude00", "\0",
    "\u202egnp.exe", "\u2066x\u2069", "e\u0301" * 200, "\ufeff", "NA", "nan", "None", "NULL", "-", " ", " a ", "\t",
    "\\", "\\n", "\\\\n", "\\ud800", "a\\", "=1+1", "# x", "- x", "\u2028", "\x85", "\x0b\x0c\x1c", "*x*", "__init__",
    "~~x~~", "&lt;", "&#124;", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "\N{GRINNING FACE}", "_", "..", "/etc/passwd",
]  # fmt: skip
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(HOSTILE)


def layer(name: str, kernel: str = "") -> dict[str, object]:
    return {
        "trial_id": "t00001", "variant_id": "cpu-default-nchw-eager-b32", "layer": name, "type": "x", "parameters": 0,
        "calls": 1, "kernel": kernel,
    }  # fmt: skip


def sample(name: str) -> dict[str, object]:
    return {
        "trial_id": "t00001", "probe": "steps", "scope": "layer", "layer": name, "phase": name, "metric": "wall",
        "unit": "s", "iterations": 1, "index": 0, "value": 1.5,
    }  # fmt: skip


def trial(reason: str, number: int = 1) -> dict[str, object]:
    return {
        "trial_id": f"t{number:05d}", "round": 1, "order": 0, "arm": "V", "stage": "measure",
        "variant_id": "cpu-default-nchw-eager-b32", "probes": "steps", "status": "error", "reason": reason,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, make_header: Callable[..., Header]) -> Path:
    """A run without a trial."""
    RunFolder.create(tmp_path / "r", make_header(), []).close()
    return tmp_path / "r"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@example(names=HOSTILE)
@given(names=st.lists(ANY.filter(bool), min_size=1, max_size=8))
def test_text_of_any_kind_is_read_back_as_it_was_by_both_readers(names: list[str], folder: Path) -> None:
    for table in (SAMPLES, LAYERS, TRIALS):
        table.path(folder).write_text(table.header())
    with RunFolder.reopen(folder)[0] as opened:
        for number, name in enumerate(names, start=1):
            opened.append_trial(trial(name, number), [sample(name)], [layer(name, name)])
    tables = {table.name: read_frame(folder, table) for table in (SAMPLES, LAYERS, TRIALS)}
    frames = {name: frame for name, (frame, _) in tables.items()}

    assert names == [row["reason"] for row in read_rows(folder, TRIALS)[0]]
    assert names == [row["layer"] for row in read_rows(folder, LAYERS)[0]]
    assert names == list(frames["trials.csv"].reason)
    assert names == list(frames["layers.csv"].layer) == list(frames["layers.csv"].kernel)
    assert names == list(frames["samples.csv"].layer) == list(frames["samples.csv"].phase)
    assert 1 + len(names) == (folder / "trials.csv").read_bytes().count(b"\n")  # a record is a line
    assert [[], [], []] == [warnings for _, warnings in tables.values()]


def test_empty_text_is_read_back_as_empty(folder: Path) -> None:
    with RunFolder.reopen(folder)[0] as opened:
        opened.append_trial(trial(""), [], [layer("0", "")])

    assert [""] == [row["reason"] for row in read_rows(folder, TRIALS)[0]]
    assert [""] == list(read_frame(folder, TRIALS)[0].reason)
    assert [""] == list(read_frame(folder, LAYERS)[0].kernel)


@given(ANY)
def test_what_is_stored_is_one_line_of_utf8_and_is_given_back(name: str) -> None:
    field = text.stored(name)

    assert field.encode().decode() == field
    assert 1 == len(field.splitlines() or [""])
    assert "\0" not in field
    assert name == text.restored(field)


@pytest.mark.parametrize(
    ("name", "field"),
    [("0.conv", "0.conv"), ("a\nb", "a\\nb"), ("a\\nb", "a\\\\nb"), ("\0", "\\x00"), ("\ud800", "\\ud800"),
     ("\u202e", "\\u202e"), ("é", "é"), ("\x1b[0m", "\\x1b[0m")],
)  # fmt: skip
def test_the_encoding_is_that_of_the_documents(name: str, field: str) -> None:
    assert field == text.stored(name)


@pytest.mark.parametrize("field", ["C:\\dir", "\\", "a\\", "\\x1", "\\q", "\\U00110000"])
def test_a_backslash_that_was_not_stored_so_stays(field: str) -> None:
    assert field == text.restored(field)


OLD = b't00002,1,0,V,measure,cpu-default-nchw-eager-b32,steps,error,,"it said ""no"",\nand\n\nstopped",,1.5,,,,,,,,,,\n'
"""A record of four lines, as it was written before text was escaped, with the columns of today."""


def test_a_record_of_several_lines_that_was_written_before_is_still_read(folder: Path) -> None:
    with (folder / "trials.csv").open("ab") as file:
        file.write(OLD)

    assert ['it said "no",\nand\n\nstopped'] == [row["reason"] for row in read_rows(folder, TRIALS)[0]]
    assert ['it said "no",\nand\n\nstopped'] == list(read_frame(folder, TRIALS)[0].reason)


@pytest.mark.parametrize("length", [*range(1, len(OLD), 5), *range(OLD.find(b'"'), OLD.rfind(b'"') + 2, 3)])
def test_a_torn_record_of_several_lines_is_left_out_wherever_it_was_torn(length: int, folder: Path) -> None:
    with RunFolder.reopen(folder)[0] as opened:
        opened.append_trial(trial('"first"'), [])
    whole = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").write_bytes(whole + OLD[:length])
    frame, told = read_frame(folder, TRIALS)

    assert ['"first"'] == [row["reason"] for row in read_rows(folder, TRIALS)[0]]
    assert ['"first"'] == list(frame.reason)
    assert told == ["trials.csv: its last line was torn and is left out"]
    opened, warnings = RunFolder.reopen(folder)
    opened.close()
    assert warnings == told
    assert whole == (folder / "trials.csv").read_bytes()


@pytest.mark.parametrize("length", range(1, 120, 7))
def test_a_torn_record_of_today_is_left_out(length: int, folder: Path) -> None:
    with RunFolder.reopen(folder)[0] as opened:
        opened.append_trial(trial("a\nb"), [])
        whole = (folder / "trials.csv").read_bytes()
        opened.append_trial(trial('it said "no",\r\nand stopped', 2), [])
    written = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").write_bytes(written[: min(len(whole) + length, len(written) - 1)])

    assert ["a\nb"] == [row["reason"] for row in read_rows(folder, TRIALS)[0]]
    RunFolder.reopen(folder)[0].close()
    assert whole == (folder / "trials.csv").read_bytes()


def test_an_open_quote_with_rows_behind_it_is_damage_and_costs_no_row(folder: Path) -> None:
    with RunFolder.reopen(folder)[0] as opened:
        for number in range(1, 5):
            opened.append_trial(trial("no", number), [])
    path = folder / "trials.csv"
    path.write_bytes(path.read_bytes().replace(b",no,", b',"no,', 1))
    damaged = path.read_bytes()

    with pytest.raises(RecordError, match=r"trials\.csv"):
        read_rows(folder, TRIALS)
    with pytest.raises(RecordError, match=r"trials\.csv"):
        read_frame(folder, TRIALS)
    RunFolder.reopen(folder)[0].close()
    assert damaged == path.read_bytes()


def test_what_utf8_can_t_hold_is_escaped_in_run_json(tmp_path: Path, make_header: Callable[..., Header]) -> None:
    header = replace(make_header(counts={"a\udc80": {}}), command="python -m bench run --data '\udc80'")
    RunFolder.create(tmp_path / "r", header, []).close()
    found = read_run(tmp_path / "r")

    assert found.command == "python -m bench run --data '\\udc80'"
    assert list(found.learned.counts) == ["a\\udc80"]


@given(ANY)
def test_markdown_shows_the_text_and_nothing_else(name: str) -> None:
    [_, line, _] = MarkdownIt("commonmark", {"html": True}).parse(f"x{text.marked(name, 10**6)}x")
    parts = line.children or []

    assert {part.type for part in parts} <= {"text", "text_special"}
    assert "".join(part.content for part in parts) == f"x{text.visible(name)}x"


@given(ANY.filter(lambda name: bool(text.visible(name).strip())))
def test_code_in_markdown_is_one_span(name: str) -> None:
    [_, line, _] = MarkdownIt("commonmark", {"html": True}).parse(f"x {text.code(name)} x")

    assert [part.type for part in line.children or []] == ["text", "code_inline", "text"]


@given(st.lists(ANY, min_size=1, max_size=4))
def test_no_line_ends_a_block_of_code(lines: list[str]) -> None:
    block = "\n".join(["before", "", *text.fence(lines, "sh"), "", "behind"])
    parsed = MarkdownIt("commonmark", {"html": True}).parse(block)

    assert [token.type for token in parsed if token.level == 0 and token.nesting >= 0] == [
        "paragraph_open",
        "fence",
        "paragraph_open",
    ]
    assert parsed[3].content == "".join(f"{text.visible(line)}\n" for line in lines)


@given(st.lists(ANY, min_size=1, max_size=8, unique=True), st.integers(20, 80))
def test_what_differs_is_told_apart_and_short(names: list[str], most: int) -> None:
    shown = text.distinct(names, most)

    assert len(set(map(text.looks, shown))) == len(names)
    assert max(map(len, shown)) <= most + 8


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\x1b[0m", "\\x1b[0m"), ("\u202ea", "\\u202ea"), ("a\nb", "a\\nb"), ("é", "é"), ("x" * 60, "x" * 60),
     ("a" * 40 + "b" * 40, "a" * 29 + "..." + "b" * 28)],
)  # fmt: skip
def test_text_is_shown_in_sixty_letters_its_middle_left_out(name: str, shown: str) -> None:
    assert shown == text.shortened(name)


@pytest.mark.parametrize(
    ("word", "quoted"), [("a", "a"), ("a b", "'a b'"), ("~/a b", "~/'a b'"), ("$(x)", "'$(x)'"), ("~/", "~/")]
)
def test_a_word_for_a_shell_is_one(word: str, quoted: str) -> None:
    assert quoted == text.shell_word(word)
