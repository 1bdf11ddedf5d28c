"""The options of a call: their values, and how their texts are read."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from bench.core.exits import called
from bench.core.header import Kind, Looks, PresetName
from bench.core.records import RUN_FILE
from bench.core.variants import UsageError
from bench.plan.looks import UNTIL_DECIDED
from bench.plan.race import FINALISTS
from bench.plan.schedule import DEFAULT_ROUNDS, ROUNDS

DATA_CLASSES = 10
DEFAULT_STEPS = 3
"""Steps in a trace."""
RESULTS, REPORTS = Path("results"), Path("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The options of a call."""

    preset: str = "quick"
    device: str = "all"
    axes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    rounds: int | None = None
    budget: str | None = None
    seed: int | None = None
    """Seed of weights and batches, and of the order of trials: two calls with one seed measure the same."""
    order_seed: int | None = None
    """Seed of the order of trials alone."""
    model: str = "nin"
    task: str | None = None
    """What is trained instead of a model with images."""
    mode: str = "train"
    """Whether the variants train or infer."""
    shape: str | None = None
    classes: int = DATA_CLASSES
    data: str | None = None
    memory_limit: str | None = None
    delta: str | None = None
    """The change that matters; None: the default of each device."""
    finalists: int | None = None
    """How many candidates the race leaves; None: as many as the preset says."""
    lockstep: bool | None = None
    """Whether the trials of a round take turns; if None, they do on the CPU alone."""
    download: bool = False
    out: Path = RESULTS
    run_id: str | None = None
    base: str | None = None
    """What `ab` compares this tree with."""
    task_from_each: bool = False
    """Whether `ab` takes the task from each tree, not from this one for both."""
    confirm: bool = True
    """Whether `ab` takes fresh rounds of what it flags."""
    configured: tuple[str, ...] = ()
    """The options that the user's pyproject.toml adds to the call, as one would type them."""
    kind: Kind = "run"
    """The verb that measures."""
    allow_changed: bool = False
    """Whether a run may be resumed on another machine, or with other software or code."""

    @property
    def trained(self) -> str:
        """The value of the axis model: the task's name if there is one. `package.module` is a module that is a task."""
        return self.model if self.task is None else self.task if ":" in self.task else f"{self.task}:"

    @property
    def budget_s(self) -> float | None:
        """The budget in seconds; None without a limit. Raises UsageError if it can't be read."""
        return parse_budget(self.budget or default_budget(None if self.variants else self.preset))

    @property
    def wanted_delta(self) -> float | None:
        """The change that matters, as a share; None if the call declares none.

        Raises UsageError if it can't be read, or if the run gives no verdicts.
        """
        delta = None if self.delta is None else parse_delta(self.delta)
        if delta is None or not self.is_look:
            return delta
        if "--delta" in self.configured:  # the user's file declares it for other runs
            return None
        msg = "--delta can't go with --preset look: it gives no verdicts"
        raise UsageError(msg)

    @property
    def weights_seed(self) -> int:
        """The seed of weights and batches; the same in every run whose call gives none."""
        return 0 if self.seed is None else self.seed

    def draw_order_seed(self) -> int:
        """The seed of the order of trials: the call's, or else a random one, so that no bad order is every run's."""
        given = [seed for seed in (self.order_seed, self.seed) if seed is not None]
        return given[0] if given else secrets.randbits(32)

    @property
    def names_device(self) -> bool:
        """Whether the call names the device to measure on."""
        return self.device != "all" or bool(self.variants) or any(axis.startswith("device=") for axis in self.axes)

    @property
    def keeps_memory(self) -> bool:
        """Whether the CPU gets the allocator that keeps freed memory: in `ab`, if the call names no allocator."""
        named = bool(self.variants) or any(axis.startswith("allocator=") for axis in self.axes)
        return self.kind == "ab" and not named

    @property
    def known_preset(self) -> PresetName:
        """The preset. Raises UsageError if it is unknown."""
        if self.preset not in get_args(PresetName):
            msg = f"unknown preset {self.preset!r}: the presets are {', '.join(get_args(PresetName))}"
            raise UsageError(msg)
        return cast("PresetName", self.preset)

    @property
    def looks(self) -> Looks | None:
        """When the rounds may end; None if their number is given, by the call or by its preset."""
        fixed = self.rounds or self.kind != "run" or (self.preset in ROUNDS and not self.variants)
        return None if fixed else UNTIL_DECIDED

    @property
    def wanted_rounds(self) -> int:
        """The most rounds: those asked for, else those of the last look, or the preset's."""
        if self.looks:
            return self.looks.rounds[-1]
        return self.rounds or (DEFAULT_ROUNDS if self.variants else ROUNDS.get(self.preset, DEFAULT_ROUNDS))

    @property
    def lockstep_kinds(self) -> list[Literal["cpu", "cuda"]]:
        """The kinds of device on which the trials of a round take turns."""
        return ["cpu"] if self.lockstep is None else ["cpu", "cuda"] if self.lockstep else []

    @property
    def wanted_finalists(self) -> int | None:
        """How many candidates the race leaves for the rounds; None if there is no race.

        Who names variants, or asks for the preset full, wants a verdict for each of them.
        """
        default = FINALISTS if self.preset == "quick" and not self.variants and self.kind == "run" else 0
        return (default if self.finalists is None else self.finalists) or None

    @property
    def is_look(self) -> bool:
        """Whether this is the short look, with fewer steps and rounds and without verdicts."""
        return self.preset == "look" and not self.variants


def name_run(choices: Choices) -> str:
    """The run's name: the call's, or else date, time and preset. Raises UsageError if the name is no fit one."""
    if choices.run_id is None:
        label = choices.kind if choices.kind != "run" else "variants" if choices.variants else choices.preset
        return f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{label}"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", choices.run_id):
        msg = f"--run-id must be letters, digits, dots, dashes and underscores, got {choices.run_id!r}"
        raise UsageError(msg)
    return choices.run_id


def folder_of(out: Path, run: str) -> Path:
    """The folder of a run that is named by a path, or by its name in `out`. Raises UsageError for a path with --out."""
    if "/" in run and out != RESULTS:
        msg = f"{run} is a path: take back --out {out}"
        raise UsageError(msg)
    here = out == RESULTS and Path(run).is_dir() and not (out / run).is_dir()
    return Path(run) if "/" in run or here else out / run


def newest(out: Path) -> Path:
    """The folder of the run in `out` that was written to last. Raises UsageError if there is none."""
    runs = sorted(out.glob(f"*/{RUN_FILE}"), key=lambda path: path.stat().st_mtime)
    if not runs:
        msg = f"{out}: no run is there; name one, or measure with {called()} run"
        raise UsageError(msg)
    return runs[-1].parent


def default_budget(preset: str | None) -> str:
    """The budget of a preset if the call gives none: `full` takes all its rounds, however long."""
    return "none" if preset == "full" else "20m"


def parse_size(text: str) -> int:
    """The bytes of `512MiB` or `4GiB` (powers of 1024). Raises UsageError for any other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(KiB|MiB|GiB)", text)
    if match is None or not (size := int(float(match[1]) * 2 ** {"KiB": 10, "MiB": 20, "GiB": 30}[match[2]])):
        msg = f"--memory-limit reads 512MiB or 4GiB, got {text!r}"
        raise UsageError(msg)
    return size


def parse_budget(text: str) -> float | None:
    """The seconds of `90s`, `20m` or `2h`; None for `none`. Raises UsageError for any other text."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        msg = f"--budget reads 90s, 20m, 2h or none, got {text!r}"
        raise UsageError(msg)
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def parse_delta(text: str) -> float:
    """The share that `5%` or `0.05` is. Raises UsageError for any other text, and unless it is between 0 and 100 %."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)( ?%)?", text)
    if match is None:
        msg = f"--delta reads a share such as 5% or 0.05, got {text!r}"
        raise UsageError(msg)
    delta = float(match[1]) / (100 if match[2] else 1)
    if not 0 < delta < 1:
        percent = f": write {match[1]}%" if not match[2] and 1 <= delta < 100 else ""
        msg = f"--delta must be more than 0 and less than 100 %, got {text!r}{percent}"
        raise UsageError(msg)
    return delta


def parse_shape(text: str) -> tuple[int, int, int]:
    """(C, H, W) of `CxHxW`. Raises UsageError for any other text."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        msg = f"--input reads CxHxW, such as 3x32x32, got {text!r}"
        raise UsageError(msg)
    channels, height, width = map(int, match.groups())
    return channels, height, width
