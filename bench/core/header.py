"""run.json as typed records: whoever reads a run decodes it once, and msgspec checks types and ranges meanwhile.

msgspec names the key that is wrong and needs no other package. What a file holds is data: none of it is a path to
write, or a program or library to load.
"""

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from bench.core.facts import Bytes, Count, Environment, Positive, PositiveCount, Text, Word
from bench.core.migrations.run_json import migrated
from bench.core.reading import value_at
from bench.core.records import (
    READABLE,
    RUN_FILE,
    SCHEMA_VERSION,
    VARIANTS,
    ArmName,
    RecordError,
    decoder_words,
    found_words,
)
from bench.core.text import MOST_OF_A_REASON, shortened, storable
from bench.core.variants import Variant

VariantId = Annotated[str, Meta(min_length=1, max_length=1000)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]

Record = TypeVar("Record")

Kind = Literal["run", "ab", "profile"]
PresetName = Literal["look", "quick", "full"]
Status = Literal["running", "complete", "interrupted", "failed"]
Ended = Literal["rounds", "decided", "budget", "interrupted", "an error"]
MemoryLimits = dict[Literal["cpu", "cuda", "mps", "xpu"], Bytes | None]
"""The bytes that a batch may take, by kind of device; None for all that the device has."""


class Data(Struct, frozen=True, kw_only=True):
    """The data of the trials in words, and its number of train images."""

    name: Word
    is_subset: bool
    train_images: PositiveCount | None
    """None if a task makes its own batches."""


class Inputs(Struct, frozen=True, kw_only=True):
    """The data of the trials: a folder (None for the subset in the package), or random images of a shape."""

    folder: Word | None
    shape: tuple[PositiveCount, PositiveCount, PositiveCount] | None
    classes: PositiveCount
    task: bool = False
    """Whether the variants' models are tasks, which make their own batches."""


class Items(Struct, frozen=True, kw_only=True):
    """What a step works through."""

    count: Positive
    """The mean of the steps that were taken."""
    unit: Word
    """images, tokens, samples, ..."""


class PilotCounts(Struct, frozen=True, kw_only=True):
    """How many samples a pilot takes."""

    plain: PositiveCount
    stamped: Count


class Counts(Struct, frozen=True, kw_only=True):
    """How many steps a trial of a variant takes. Raises ValueError if it would measure nothing."""

    warmup: Count = 0
    """Steps between the first step and the plain samples."""
    plain: PositiveCount = 1
    """Plain samples."""
    iterations: PositiveCount = 1
    """Steps that a sample of either kind averages: more than one if a step is short."""
    stamped: Count = 0
    """Stamped samples."""
    turns: PositiveCount = 1
    """A sample averages a multiple of this many steps. If steps wait for a loader's workers, it is the number of
    workers: those that began together end together, so their batches come in bursts."""
    varied: bool = False
    """Whether the model's path differs between steps."""

    def __post_init__(self) -> None:
        """Raises ValueError if nothing would be measured."""
        if min(self.plain, self.iterations, self.turns) < 1 or self.warmup < 0 or self.stamped < 0:
            msg = f"a trial needs at least one plain sample of one step, got {self}"
            raise ValueError(msg)

    def in_turns(self, turns: int) -> "Counts":
        """The same counts, but a sample averages a multiple of this many steps, or of `self.turns` if that is more."""
        turns = max(turns, self.turns)
        return replace(self, iterations=turns * math.ceil(self.iterations / turns), turns=turns)


class Flagged(Struct, frozen=True, kw_only=True):
    """A cell of `ab` that looked changed in the first rounds, with the flag they gave it: fresh rounds decide."""

    variant_id: VariantId
    scope: Literal["step", "phase", "layer"]
    layer: Text
    phase: Word
    flag: Literal["FASTER", "SLOWER", "FEWER FAULTS", "MORE FAULTS"]
    metric: Literal["wall", "page_faults"] = "wall"


class Looks(Struct, frozen=True, kw_only=True):
    """The rounds after which a run looks at its verdicts, and the error that its intervals allow."""

    rounds: tuple[PositiveCount, ...]
    """Numbers of complete rounds, ascending. The run ends at the last one in any case."""
    error: Annotated[float, Meta(gt=0, lt=0.5)]
    """The chance at any one look that a given end of an interval lies on the wrong side of the truth.

    It holds for every interval of the run, at a look or not. If the budget ends between two looks, it stays.
    """


class Plan(Struct, frozen=True, kw_only=True):
    """What the call asked to measure."""

    rounds: PositiveCount
    budget_s: Seconds | None
    verdicts: bool
    pilot_counts: PilotCounts
    pilot_only: list[VariantId]
    memory_limit_bytes: MemoryLimits
    looks: Looks | None = None
    """When the rounds may end; None if their number was given beforehand."""
    finalists: PositiveCount | None = None
    """How many candidates of a device and model the race leaves for the rounds; None if there is no race."""
    lockstep: list[Literal["cpu", "cuda"]] = []
    """The kinds of device on which the trials of a round take turns step by step; on others they run one by one."""
    delta: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """The change of a time that matters, as a share, if the call declared one; None: the default of each device."""
    confirm: bool = True
    """Whether fresh rounds follow for what `ab` flags."""

    def limit_bytes(self, variant: Variant) -> int | None:
        """The bytes that a batch of a variant may take; None for all that the device has."""
        return next((size for kind, size in self.memory_limit_bytes.items() if kind == variant.kind.name), None)


class Learned(Struct, frozen=True, kw_only=True):
    """What the trials so far showed that later ones need, by the variant's id."""

    step_s: dict[VariantId, Positive] = {}
    trial_s: dict[VariantId, Seconds] = {}
    """How long a trial of steps should take in a round."""
    peak_bytes: dict[VariantId, Bytes] = {}
    """The peak memory that a trial of steps takes on the variant's device."""
    counts: dict[VariantId, Counts] = {}
    items: dict[VariantId, Items] = {}
    """The items of a step; those of an earlier run are images, as many as the batch."""
    tried: dict[VariantId, list[tuple[PositiveCount, Bytes | None]]] = {}
    """The batch sizes that were tried, each with its peak memory in bytes; None if it did not fit."""
    largest: dict[VariantId, PositiveCount] = {}
    beyond_index: dict[VariantId, PositiveCount] = {}
    """The smallest batch that was tried and has more elements than torch's 32-bit indices can count."""
    predicted_s: Seconds | None = None
    """How long the whole run should take; 0 if it was resumed, because then the time can't be predicted."""


class State(Struct, frozen=True, kw_only=True):
    """How the run stands."""

    status: Status
    arms: list[tuple[VariantId, ArmName]] = []
    """The arms of every round."""
    candidates: list[VariantId] | None = None
    """Who is left of the race, the fastest first; None before its first round."""
    flagged: list[Flagged] | None = None
    finished_at: Instant | None = None
    ended_because: Ended | None = None
    changed: list[Text] = []
    """What of machine, software or code had changed when the run was resumed, in words."""


class Tree(Struct, frozen=True, kw_only=True):
    """A code tree of `ab`."""

    name: Word
    commit: Word | None
    digest: Word


class SharedTask(Struct, frozen=True, kw_only=True):
    """The file of a task, which both trees have from the calling folder."""

    file: Word
    replaced: bool
    """Whether a tree had another one in its place."""


class Trees(Struct, frozen=True, kw_only=True):
    """The code trees of `ab`: `head` is compared with `base`."""

    base: Tree
    head: Tree
    task: SharedTask | None = None
    """The task that both have from the calling folder; None if each has its own, or if there is none."""


class Header(Struct, frozen=True, kw_only=True):
    """run.json. A run's name is its folder's name: `run_id` stands in the file for a reader alone."""

    schema_version: int = SCHEMA_VERSION
    """The schema in which the file was written."""
    kind: Kind
    run_id: Word
    command: Text
    seed: Seed
    """Seed of weights and batches."""
    preset: PresetName | None
    started_at: Instant
    data: Data
    inputs: Inputs
    plan: Plan
    learned: Learned
    state: State
    environment: Environment
    trees: Trees | None = None
    order_seed: Seed | None = None
    """Seed of the order of trials; None if it is `seed` too."""
    by_nox: bool | None = None
    """Whether nox began the run; None if the file does not say."""
    folder_commit: Word | None = None
    """The commit of the folder from which the run was called, with `+` if tracked files differ; None without git."""

    @property
    def order(self) -> int:
        """The seed of the order of trials."""
        return self.seed if self.order_seed is None else self.order_seed

    def variant_ids(self) -> set[str]:
        """The ids of all variants that the record names."""
        learned, state = self.learned, self.state
        named = {variant_id for variant_id, _ in state.arms} | {cell.variant_id for cell in state.flagged or ()}
        named.update(state.candidates or ())
        times = (learned.step_s, learned.trial_s)
        sizes = (learned.peak_bytes, learned.tried, learned.largest, learned.beyond_index)
        return named.union(self.plan.pilot_only, learned.counts, *times, *sizes)


def read_run(folder: Path) -> Header:
    """The record of run.json, with the folder's name as its `run_id`.

    Raises RecordError if the file is missing, damaged, or of another schema version. It names file, key, the value and
    what was expected.
    """
    path = folder / RUN_FILE
    raw = read_json(path, f"{folder}: no run (it has no {RUN_FILE})")
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in READABLE:
        msg = f"{path}: schema version {found_words(version)}, this bench reads {', '.join(map(str, READABLE))}"
        raise RecordError(msg)
    header = decoded(migrated(raw), path)
    if header.kind == "ab" and header.trees is None:
        msg = f"{path}: trees: found nothing, expected the two trees of an ab"
        raise RecordError(msg)
    return replace(header, run_id=folder.resolve().name)


def read_json(path: Path, missing: str) -> Any:  # noqa: ANN401 - JSON
    """The value of a JSON file. Raises RecordError if it is damaged, or, with the words of `missing`, not there."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise RecordError(missing) from error
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecordError(msg) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        msg = f"{path}: damaged ({decoder_words(error)})"
        raise RecordError(msg) from error


def decoded(raw: object, path: Path) -> Header:
    """The record of a JSON object. Raises RecordError with the file at `path` and the wrong key."""
    return converted(raw, Header, path)


def converted(raw: object, kind: type[Record], path: Path) -> Record:
    """A JSON value as a record of some kind. Raises RecordError with the file at `path` and the wrong key."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        expected, _, place = str(error).partition(" - at `")
        keys = place.strip("`").removeprefix("$").lstrip(".")
        value, wanted = found_words(value_at(raw, keys)), shortened(expected, MOST_OF_A_REASON)
        msg = f"{path}: {keys or 'the file'}: found {value}: {wanted}"
        raise RecordError(msg) from error


def check_known(header: Header, folder: Path, known: set[str]) -> None:
    """Raises RecordError if run.json names a variant that variants.csv does not have."""
    if unknown := sorted(header.variant_ids() - known):
        msg = f"{folder / RUN_FILE}: found the variant {found_words(unknown[0])}, expected one of {VARIANTS.name}"
        raise RecordError(msg)


def encoded(header: Header) -> str:
    """The text of run.json in today's schema; what UTF-8 can't hold is escaped."""
    whole = storable_json(msgspec.to_builtins(replace(header, schema_version=SCHEMA_VERSION)))
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def storable_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A JSON value with its texts as a file can hold them."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_json(inner) for key, inner in value.items()}
    return [storable_json(inner) for inner in value] if isinstance(value, (list, tuple)) else value
