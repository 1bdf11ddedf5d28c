"""Every pair of a verb's options acts, or is refused by name.

What a call decides is caught just before the first trial: its run.json, variants, folders and what its page is told.
An option acts in a pair if the pair decides something else than the other option alone.
"""

import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
from typer.testing import CliRunner

import nin.__main__ as nin_main
from bench.analyse.ab import changes
from bench.analyse.fleet import verdicts as of_fleet
from bench.analyse.history import changes as of_history
from bench.cli import serve, verbs
from bench.cli.app import app
from bench.core.facts import Environment
from bench.core.header import Data, Inputs, Trees, encoded
from bench.gpu import acceptance
from bench.plan.choices import Choices
from bench.report.fleet import page as fleet_page
from bench.report.render import terminal
from bench.report.sides import compare_page, history_page
from bench.run import alone, profile, session
from bench.run.commits import chosen
from bench.run.commits import measure as commits
from bench.run.prepare import listing, reopen, start, trees
from bench.run.prepare.dry import DryRun
from bench.run.record import Run

BASE = "cpu-default-nchw-eager-b32"
NHWC = "cpu-default-nhwc-eager-b32"
STEPS = {(BASE, "A"): [1.0, 1.1], (BASE, "A'"): [1.0, 1.2], (NHWC, "V"): [0.9, 0.8]}
HERE = {
    "cpu": "Made-up CPU", "cores": 2, "torch": "2.99.0", "torch_threads": 2, "cxx_compiler": "g++",
    "c_compiler": "gcc", "python_headers": True,
    "memory_available_bytes": 2**33,
    "cuda_devices": [{"name": "Made-up GPU", "memory_bytes": 2**34, "capability": [9, 0]}],
}  # fmt: skip

TREES = {name: {"name": name, "commit": None, "digest": "0"} for name in ("base", "head")}

MEASURED: dict[str, str] = {
    "--device": "--device cuda", "--axis": "--axis precision=bf16,fp32", "--variant": f"--variant {NHWC}",
    "--lockstep": "--lockstep",
    "--rounds": "--rounds 4", "--budget": "--budget 7m", "--delta": "--delta 5%",
    "--seed": "--seed 5", "--order-seed": "--order-seed 6",
    "--model": "--model ours:net", "--task": "--task ours:make", "--mode": "--mode infer",
    "--input": "--input 1x32x32", "--classes": "--input 3x32x32 --classes 7", "--data": "--data here",
    "--download": "--download", "--out": "--out elsewhere", "--reports": "--reports pages",
    "--run-id": "--run-id named",
    "--resume": "--resume stored", "--allow-changed": "--resume changed --allow-changed",
}  # fmt: skip
"""An example of each option, behind those that it needs."""
OWN = {
    "--preset": "--preset full",
    "--finalists": "--finalists 2",
    "--memory-limit": "--axis batch_size=max --memory-limit 4GiB",
}
ADDED = {name: MEASURED[name] for name in ("--variant", "--model", "--task", "--data", "--download", "--reports")}
LISTED = (
    "--device", "--axis", "--variant", "--rounds", "--budget", "--model", "--task", "--mode", "--input", "--classes",
)  # fmt: skip
OPTIONS: dict[str, dict[str, str]] = {
    "run": MEASURED | OWN,
    "ab": {name: text.replace("stored", "ab").replace("changed ", "ab-changed ") for name, text in MEASURED.items()}
    | {
        "--base": "--base HEAD~1",
        "--strict": "--strict",
        "--task-from-each": "--task mine:make --task-from-each",
        "--no-confirm": "--no-confirm",
    },
    "profile": {
        name: text
        for name, text in MEASURED.items()
        if name
        not in (
            "--axis",
            "--order-seed",
            "--lockstep",
            "--rounds",
            "--budget",
            "--delta",
            "--resume",
            "--allow-changed",
        )
    }
    | {"RUN": "stored", "--steps": "--steps 5"},
    "list": {name: MEASURED[name] for name in LISTED} | {"--preset": "--preset look"},
    "report": {"RUN": "stored", "--out": "--out pages", "--every-layer": "--every-layer"},
    "tensorboard": {"RUN": "stored", "--port": "--port 7001", "--reports": "--reports pages"},
    "micro": ADDED | {"--run": "--run stored"},
    "compare": {"--out": "--out pages", "--price": "--price stored=2.5"},
    "history": {
        "--commits": "--commits a..b",
        "--every": "--commits c..d --every 3",
        "--error": "--error 0.01",
        "--delta": "--delta 0.1",
        "--no-canary": "--no-canary",
        "--fail-on-slower": "--fail-on-slower",
        "--out": "--out pages",
    },
    "fleet": {
        "--error": "--error 0.01",
        "--delta": "--delta 0.1",
        "--heavy-tails": "--heavy-tails",
        "--fail-on-outlier": "--fail-on-outlier",
        "--out": "--out pages",
    },
    "gpu": {
        "--out": "--out elsewhere/new",
        "--budget": "--budget 5m",
        "--rehearse": "--rehearse",
        "--all-tests": "--all-tests",
    },
}
GIVEN = {"ab": "--base HEAD", "compare": "stored changed", "history": "stored changed", "fleet": "stored changed",
         "gpu": "--out checked"}  # fmt: skip
"""What a call needs in any case, unless an option takes its place."""

PAGES = {
    verbs.run: ("finish",),
    verbs.ab: ("finish_ab", "add_to_summary"),
    verbs.report: ("finish", "finish_ab", "finish_profile"),
    verbs.profile: ("finish_profile",),
    verbs.tensorboard: ("write_profile",),
    verbs.micro: ("finish_micro",),
}
"""What each verb calls that writes pages."""


@pytest.fixture
def stored(make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with runs in results/ and elsewhere/, of this machine and of another one."""
    for name, facts in (("stored", {}), ("changed", {"cpu": "Other"}), ("ab", {}), ("ab-changed", {"cpu": "Other"})):
        folder = make_run(STEPS, name=name, environment=HERE | facts)
        whole = json.loads((folder / "run.json").read_text())
        if name.startswith("ab"):
            whole |= {"kind": "ab", "trees": TREES}
            for tree in TREES:
                (tmp_path / "scratch" / name / tree).mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(whole))
    shutil.copytree(tmp_path / "results", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def decided(stored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:  # noqa: ARG001 - its runs
    """What the last call decided, with everything slow left out."""
    seen: dict[str, Any] = {}

    def caught(run: Run, *rest: object, **_: object) -> None:
        whole = json.loads(encoded(run.header))
        named = re.sub(r"\d{4}-\d\d-\d\d-\d{6}", "dated", whole["run_id"])
        whole["order_seed"] = whole["order_seed"] if whole["order_seed"] in (None, 5, 6) else "drawn"
        told = {key: whole[key] for key in whole if key not in ("command", "started_at", "run_id", "environment")}
        folder = run.folder.folder.parent / named
        ids = [e.variant.id for e in run.entries]
        seen.update(told, folder=str(folder), ids=ids, rest=str(rest), changed=bool(run.state.changed))
        run.folder.close()

    def told_to(name: str) -> Callable[..., mock.Mock]:
        def told(*arguments: object, **named: object) -> mock.Mock:
            dated = re.sub(r"\d{4}-\d\d-\d\d-\d{6}", "dated", f"{arguments} {named}")
            seen[name] = re.sub(r"<Mock[^>]*>", "", dated)
            return mock.Mock(traces=[], changes=[], folder=Path())

        return told

    def ended(**told: object) -> int:
        seen.update(told)
        return 0

    def inputs(choices: Choices) -> tuple[Inputs, Data]:
        seen["asked"] = f"{choices.data} {choices.download}"
        shape = choices.shape and [int(n) for n in choices.shape.split("x")]
        data = Data(name="made-up images", is_subset=False, train_images=60_000)
        return msgspec.convert({"folder": choices.data, "shape": shape, "classes": choices.classes}, Inputs), data

    def shown_two_images(self: DryRun, *_: object) -> str:
        seen["tried"] = str(self.inputs)
        return ""

    here = msgspec.convert(HERE, Environment)
    monkeypatch.setattr(listing, "environment", lambda: here)
    for module in (start, reopen):
        monkeypatch.setattr(module, "environment", lambda: here)
        monkeypatch.setattr(module, "find_inputs", inputs)
        monkeypatch.setattr(module, "scratch_of", lambda folder: tmp_path / "scratch" / folder.name)
    monkeypatch.setattr(DryRun, "why_not", shown_two_images)
    monkeypatch.setattr(
        trees,
        "take",
        lambda base, _, task: msgspec.convert({n: t | {"name": f"{base} {task}"} for n, t in TREES.items()}, Trees),
    )
    monkeypatch.setattr(session, "execute", caught)
    monkeypatch.setattr(profile, "execute", caught)
    for module, names in PAGES.items():
        for name in names:
            monkeypatch.setattr(module, name, told_to(name))
    monkeypatch.setattr(changes, "exit_code", lambda _changes, _deaths, *, strict: ended(strict=strict))
    monkeypatch.setattr(alone, "measure", lambda *words: ended(alone=str(words)))
    monkeypatch.setattr(
        acceptance,
        "run",
        lambda out, budget, *, rehearse, all_tests, **_: ended(gpu=f"{out} {budget} {rehearse} {all_tests}"),
    )
    monkeypatch.setattr(serve, "check", told_to("check"))
    monkeypatch.setattr(serve, "serve", lambda *words: ended(serve=str(words)))
    monkeypatch.setattr(compare_page, "write", told_to("compare"))
    monkeypatch.setattr(terminal, "show_compare", told_to("show"))
    catch_history(monkeypatch, seen, told_to, ended)
    monkeypatch.setattr(of_fleet, "fleet", told_to("fleet"))
    monkeypatch.setattr(fleet_page, "write", told_to("write"))
    monkeypatch.setattr(terminal, "show_fleet", told_to("show"))
    monkeypatch.setattr(of_fleet, "exit_code", lambda _, *, fail_on_outlier: ended(fails=fail_on_outlier))
    return seen


def catch_history(
    monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any], told_to: Callable[[str], object], ended: Callable[..., int]
) -> None:
    """Let `bench history` measure and write nothing."""

    def measured(of: list[str], *_: object) -> list[object]:
        seen["commits"] = of
        return []

    monkeypatch.setattr(chosen, "commits", lambda span, every, _: [f"{span} {every}"])
    monkeypatch.setattr(commits, "measure", measured)
    for name in ("of_folders", "write"):
        monkeypatch.setattr(history_page, name, told_to(name))
    monkeypatch.setattr(terminal, "show_history", told_to("show"))
    monkeypatch.setattr(of_history, "exit_code", lambda _, *, fail_on_slower: ended(fails=fail_on_slower))


class Caller:
    """Calls a verb, each call once, from the same stored runs."""

    def __init__(self, verb: str, folder: Path, seen: dict[str, Any]) -> None:
        self.verb, self.folder, self.seen = verb, folder, seen
        self.known: dict[tuple[str, ...], tuple[str, str]] = {}
        for name in ("results", "elsewhere"):
            shutil.copytree(folder / name, folder / "kept" / name)

    def decisions(self, *texts: str) -> tuple[str, str]:
        """What a call decides, and else nothing; or nothing, and the line that refuses it."""
        needed = GIVEN.get(self.verb, "")
        if any(text.startswith(("--resume", "--base", "--commits")) for text in texts):
            needed = ""
        words = tuple(dict.fromkeys(filter(None, (needed, *texts))))
        if words not in self.known:
            self.known[words] = self.called(" ".join(words).split())
        return self.known[words]

    def called(self, words: list[str]) -> tuple[str, str]:
        for name in ("results", "elsewhere"):
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.folder / "kept" / name, self.folder / name)
        self.seen.clear()
        result = CliRunner().invoke(app, [self.verb, *words])
        assert result.exit_code in (0, 2, 4), (words, result.output, result.exception)
        if result.exit_code:
            return "", result.output
        lines = result.output if self.verb == "list" else ""
        return json.dumps(self.seen, sort_keys=True, default=str) + lines, ""


@pytest.mark.slow
@pytest.mark.parametrize("verb", OPTIONS)
def test_every_pair_of_options_acts_or_is_refused_by_name(verb: str, decided: dict[str, Any], tmp_path: Path) -> None:
    options = OPTIONS[verb]
    caller = Caller(verb, tmp_path, decided)
    idle = []
    for one, other in itertools.permutations(options, 2):
        if other in options[one] and other != one:  # it needs the other
            continue
        done, refusal = caller.decisions(options[other], options[one])
        if refusal:
            names = {*re.findall(r"--[a-z-]+", f"{options[one]} {options[other]}"), one, other}
            assert any(name in refusal for name in names), refusal
            continue
        without = " ".join(options[one].split(" --")[:-1]) if options[one].count("--") > 1 else ""
        if done == caller.decisions(options[other], without)[0]:
            idle.append(f"{one} beside {other}")

    assert not idle


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_table_has_every_option(verb: str) -> None:
    import typer

    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    names = {next((n for n in p.opts if n.startswith("--")), p.name.upper()) for p in command.params}

    assert names - {"--help", "RUNS"} == set(OPTIONS[verb])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--shapes --epochs 2", "--shapes prints and ends: take back --epochs"),
        ("--data here --download", "--data can't go with --download"),
    ],
)
def test_training_refuses_an_option_without_effect(words: str, told: str) -> None:
    result = CliRunner().invoke(nin_main.app, words.split())

    assert (result.exit_code, True) == (2, told in result.output)
