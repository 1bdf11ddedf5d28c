"""The files in a run's traces/, and the names of the ranges in a trace."""

import re
from pathlib import Path

from bench.core.text import digest

FOLDER = "traces"
STAGE = "profile"
"""The stage of trials that are traced. They are apart from the timed ones, and none of their numbers counts."""
BOARD = "tensorboard"
"""The folder in a report with what TensorBoard shows."""
RAW = "trace.json.gz"
"""The trace as torch wrote it, one per variant."""
SNAPSHOT = "memory.pickle"
"""The CUDA allocator's history over one step, one per variant."""
FUSION = "fusion.json"
"""The layers that each kernel of a compiled variant covers, one file per variant."""
COMMUNICATION = "communication"
"""The phase in which a rank has computed all its gradients, and waits until those of all ranks are averaged."""
PHASES = (
    "data", "h2d", "forward", "loss", "backward", COMMUNICATION, "scaler", "clip", "optimizer", "after_step", "read",
)  # fmt: skip
"""The phases of a step, in the order in which it begins them; a step has those that it needs."""
LAYERED = ("forward", "backward")
"""The phases that layers divide among them: what runs outside of every layer is a row of its own."""
LAYER, PHASE = "layer", "phase"
BETWEEN = "between"
"""The row for what runs outside of every leaf."""
ALL = "all"
"""The row for the sum."""
RESERVED = (BETWEEN, ALL)
"""The names of rows that are no layers. A layer with such a path gets a dot in front."""

MOST_BYTES, DIGEST = 200, 12
"""The longest file name, and its digest's length. A file system takes 255 bytes, and an ending may be added."""
DIGESTED = re.compile(rf"-[0-9a-f]{{{DIGEST}}}$")
"""The end of a name that is not the text itself."""

Owner = tuple[str, str]
"""A layer's path and a phase. With an empty path, it is the phase outside of every layer."""


def folder_of(run: Path, variant_id: str) -> Path:
    """The folder of a variant's traces in a run's folder."""
    return run / FOLDER / file_name(variant_id)


def file_name(name: str) -> str:
    """The name of a file or folder for a variant's id or any text; different texts have different names.

    It has letters, digits, dots, dashes and underscores, begins with no dot or dash, and takes at most MOST_BYTES.
    If it is not the text itself, it ends with a digest of the whole text.
    """
    fit = re.sub(r"^[.-]|[^\w.-]", "_", name) or "_"
    if fit == name and len(fit.encode()) <= MOST_BYTES and not DIGESTED.search(fit):
        return name
    cut = fit.encode()[: MOST_BYTES - DIGEST - 1].decode(errors="ignore")
    return f"{cut}-{digest(name)[:DIGEST]}"


def range_name(owner: Owner) -> str:
    """The name in a trace of the range of a layer in a phase, or of a phase."""
    layer, phase = owner
    return f"{LAYER} {layer} {phase}" if layer else f"{PHASE} {phase}"


def owner_of(name: str) -> Owner | None:
    """The layer and phase whose range has this name; None if the range is not ours."""
    kind, _, rest = name.partition(" ")
    if kind == PHASE and rest:
        return "", rest
    layer, _, phase = rest.rpartition(" ")
    return (layer, phase) if kind == LAYER and layer and phase else None
