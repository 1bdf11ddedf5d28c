"""What lies in a run's traces/, and how the ranges in a trace are named."""

import re
from pathlib import Path

from bench.core.text import digest

FOLDER = "traces"
STAGE = "profile"
"""The stage of trials that take a trace: apart from those that are timed, so that none of their numbers counts."""
BOARD = "tensorboard"
"""Of a report's folder: what TensorBoard shows."""
RAW = "trace.json.gz"
"""The trace as torch wrote it, one a variant."""
SNAPSHOT = "memory.pickle"
"""The CUDA allocator's history over one step, one a variant."""
FUSION = "fusion.json"
"""Which layers each kernel of a compiled variant covers, one a variant."""
LAYER, PHASE = "layer", "phase"
BETWEEN = "between"
"""The row of what runs outside of every leaf."""
ALL = "all"
"""The row of their sum."""
RESERVED = (BETWEEN, ALL)
"""The names of rows that are no layer's: a layer whose path is one of them has a dot in front of it."""

MOST_BYTES, DIGEST = 200, 12
"""Of a file's name; a file system takes 255, and a copy or an end may be added to it."""
DIGESTED = re.compile(rf"-[0-9a-f]{{{DIGEST}}}$")
"""How a name ends that is not the text itself."""

Owner = tuple[str, str]
"""A layer's path and a phase; the empty path is the phase outside of every layer."""


def folder_of(run: Path, variant_id: str) -> Path:
    """Where a variant's traces lie in a run's folder."""
    return run / FOLDER / file_name(variant_id)


def file_name(name: str) -> str:
    """A variant's id, or any text, as the name of a file or folder, another one for each.

    It has letters, digits, dots, dashes and underscores, begins with no dot or dash, and takes at most MOST_BYTES.
    Where that is not the text itself, a digest of the whole stands behind.
    """
    fit = re.sub(r"^[.-]|[^\w.-]", "_", name) or "_"
    if fit == name and len(fit.encode()) <= MOST_BYTES and not DIGESTED.search(fit):
        return name
    cut = fit.encode()[: MOST_BYTES - DIGEST - 1].decode(errors="ignore")
    return f"{cut}-{digest(name)[:DIGEST]}"


def range_name(owner: Owner) -> str:
    """How the range of a layer in a phase, or of a phase, is named in a trace."""
    layer, phase = owner
    return f"{LAYER} {layer} {phase}" if layer else f"{PHASE} {phase}"


def owner_of(name: str) -> Owner | None:
    """Whose range has this name; None where it is none of ours."""
    kind, _, rest = name.partition(" ")
    if kind == PHASE and rest:
        return "", rest
    layer, _, phase = rest.rpartition(" ")
    return (layer, phase) if kind == LAYER and layer and phase else None
