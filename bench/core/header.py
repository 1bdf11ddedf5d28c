"""run.json as typed records: decoded once, with ranges, by whoever reads a run.

msgspec holds the types and the ranges in one place, checks both while it decodes, tells the key that is wrong, and
needs no other package. What a file holds is data: none of it is a path to write, or a program or library to load.
"""

import math
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from bench.core.facts import Bytes, Count, Environment, Positive, Some, Text, Word
from bench.core.migrations.run_json import migrated
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

Kind = Literal["run", "ab", "profile"]
PresetName = Literal["look", "quick", "full"]
Status = Literal["running", "complete", "interrupted", "failed"]
Ended = Literal["rounds", "budget", "interrupted", "an error"]
MemoryLimits = dict[Literal["cpu", "cuda"], Bytes | None]
"""By kind of device, the bytes that a batch may take; None for all that there are."""


class Data(Struct, frozen=True, kw_only=True):
    """What the trials were fed, in words, and how many train images it has."""

    name: Word
    is_subset: bool
    train_images: Some


class Inputs(Struct, frozen=True, kw_only=True):
    """What the trials are fed: a folder (None: the subset in the package), or images of a shape."""

    folder: Word | None
    shape: tuple[Some, Some, Some] | None
    classes: Some


class PilotCounts(Struct, frozen=True, kw_only=True):
    """How many samples a pilot takes."""

    plain: Some
    stamped: Count


class Counts(Struct, frozen=True, kw_only=True):
    """How many steps a trial of a variant takes. ValueError if it would measure nothing."""

    warmup: Count = 0
    """Steps between the first one and the plain ones."""
    plain: Some = 1
    """Plain samples."""
    iterations: Some = 1
    """Steps that a plain sample averages: more than one if a step is short."""
    stamped: Count = 0
    """Stamped samples."""
    turns: Some = 1
    """Steps that a sample of either kind averages at least, and a whole number of times: as many as there are workers
    if steps wait for them. Workers that began together end together, and their batches come in bursts."""
    varied: bool = False
    """Whether the model's path differs from step to step: a stamped sample then averages as many steps as a plain one.
    """

    def __post_init__(self) -> None:
        """Raise ValueError if nothing would be measured."""
        if min(self.plain, self.iterations, self.turns) < 1 or self.warmup < 0 or self.stamped < 0:
            msg = f"a trial needs at least one plain sample of one step, got {self}"
            raise ValueError(msg)

    @property
    def stamped_iterations(self) -> int:
        """Steps that a stamped sample averages."""
        return self.iterations if self.varied else self.turns

    def in_turns(self, turns: int) -> "Counts":
        """The same, but a sample averages whole turns of this many steps, and at least the turns it had."""
        turns = max(turns, self.turns)
        return replace(self, iterations=turns * math.ceil(self.iterations / turns), turns=turns)


class Flagged(Struct, frozen=True, kw_only=True):
    """A cell of `ab` that fresh rounds decide about, with the word that the first ones gave it."""

    variant_id: VariantId
    scope: Literal["step", "phase", "layer"]
    layer: Text
    phase: Word
    flag: Literal["FASTER", "SLOWER"]


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be measured, as the call declared it."""

    rounds: Some
    budget_s: Seconds | None
    verdicts: bool
    pilot_counts: PilotCounts
    pilot_only: list[VariantId]
    memory_limit_bytes: MemoryLimits
    lockstep: list[Literal["cpu", "cuda"]] = []
    """The kinds of device on which the trials of a round take turns step by step; elsewhere they run one by one."""

    def limit_bytes(self, variant: Variant) -> int | None:
        """The bytes that a batch of a variant may take; None for all that the device has."""
        return self.memory_limit_bytes.get("cuda" if variant.on_cuda else "cpu")


class Learned(Struct, frozen=True, kw_only=True):
    """What the trials told of those to come, by the variant's id."""

    step_s: dict[VariantId, Positive] = {}
    trial_s: dict[VariantId, Seconds] = {}
    """What a trial of steps should take in a round."""
    peak_bytes: dict[VariantId, Bytes] = {}
    """The memory of the variant's device that a trial of steps takes at its peak."""
    counts: dict[VariantId, Counts] = {}
    tried: dict[VariantId, list[tuple[Some, Bytes | None]]] = {}
    """The batches that were tried, each with its peak of memory; None if it did not fit."""
    largest: dict[VariantId, Some] = {}
    beyond_index: dict[VariantId, Some] = {}
    """The least batch that was tried and has more elements than torch's indices of 32 bits count."""
    predicted_s: Seconds | None = None
    """What the whole run should take; 0 for a run that was gone on with, whose time can't be predicted."""


class State(Struct, frozen=True, kw_only=True):
    """How the run stands."""

    status: Status
    arms: list[tuple[VariantId, ArmName]] = []
    """The arms of every round."""
    flagged: list[Flagged] | None = None
    finished_at: Instant | None = None
    ended_because: Ended | None = None
    changed: list[Text] = []
    """What had changed of machine, software or code when the run was gone on with, in words."""


class Tree(Struct, frozen=True, kw_only=True):
    """A code tree of `ab`."""

    name: Word
    commit: Word | None
    digest: Word


class Trees(Struct, frozen=True, kw_only=True):
    """The code trees of `ab`: `head` is held against `base`."""

    base: Tree
    head: Tree


class Header(Struct, frozen=True, kw_only=True):
    """run.json. The name of a run is its folder's: the file's own is kept for a reader's sake alone."""

    schema_version: int = SCHEMA_VERSION
    """As the file was written."""
    kind: Kind
    run_id: Word
    command: Text
    seed: Seed
    """Of weights and batches."""
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
    """Of the order of trials; None where that is `seed` too."""
    by_nox: bool | None = None
    """Whether nox began the run; None for a run that does not tell."""

    @property
    def order(self) -> int:
        """The seed of the order of trials."""
        return self.seed if self.order_seed is None else self.order_seed

    def variant_ids(self) -> set[str]:
        """Every id of a variant that the record names."""
        learned, state = self.learned, self.state
        named = {variant_id for variant_id, _ in state.arms} | {cell.variant_id for cell in state.flagged or ()}
        times = (learned.step_s, learned.trial_s)
        sizes = (learned.peak_bytes, learned.tried, learned.largest, learned.beyond_index)
        return named.union(self.plan.pilot_only, learned.counts, *times, *sizes)


def read_run(folder: Path) -> Header:
    """The record of run.json, named as its folder is.

    Raises RecordError with file, key, what was found and what was expected, if it is missing, damaged, or of
    another schema version.
    """
    path = folder / RUN_FILE
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError as error:
        msg = f"{folder}: no run (it has no {RUN_FILE})"
        raise RecordError(msg) from error
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecordError(msg) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        msg = f"{path}: damaged ({decoder_words(error)})"
        raise RecordError(msg) from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in READABLE:
        msg = f"{path}: schema version {found_words(version)}, this bench reads {', '.join(map(str, READABLE))}"
        raise RecordError(msg)
    header = decoded(migrated(raw), path)
    if header.kind == "ab" and header.trees is None:
        msg = f"{path}: trees: found nothing, expected the two trees of an ab"
        raise RecordError(msg)
    return replace(header, run_id=folder.resolve().name)


def decoded(raw: object, path: Path) -> Header:
    """The record of a JSON object; RecordError names the key that is wrong, with the file at `path`."""
    try:
        return msgspec.convert(raw, Header)
    except msgspec.ValidationError as error:
        expected, _, where = str(error).partition(" - at `")
        keys = where.strip("`").removeprefix("$").lstrip(".")
        found, wanted = found_words(_value_at(raw, keys)), shortened(expected, MOST_OF_A_REASON)
        msg = f"{path}: {keys or 'the file'}: found {found}: {wanted}"
        raise RecordError(msg) from error


def _value_at(raw: object, keys: str) -> object:
    """What stands at a key such as `plan.arms[0][1]`; of a value somewhere in a table, the table."""
    for key, index in re.findall(r"([^.\[\]]+)|\[([^\]]+)\]", keys):
        if isinstance(raw, dict) and key in raw:
            raw = raw[key]
        elif isinstance(raw, list) and index.isdecimal():
            raw = raw[int(index)]
        else:
            break
    return raw


def check_known(header: Header, folder: Path, known: set[str]) -> None:
    """RecordError where run.json names a variant that variants.csv has not."""
    if unknown := sorted(header.variant_ids() - known):
        msg = f"{folder / RUN_FILE}: found the variant {found_words(unknown[0])}, expected one of {VARIANTS.name}"
        raise RecordError(msg)


def encoded(header: Header) -> str:
    """run.json of a record, in today's schema; what UTF-8 can't hold is escaped."""
    whole = _storable(msgspec.to_builtins(replace(header, schema_version=SCHEMA_VERSION)))
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def _storable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A JSON value, its texts as a file can hold them."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable(inner) for key, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, (list, tuple)) else value
