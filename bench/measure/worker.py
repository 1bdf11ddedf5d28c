"""`nin_bench.py bench.measure.worker REQUEST REPLY`: one question, asked and answered in JSON files.

A reply is always written, unless the process is killed. What libraries print goes to the log that the parent gave as
standard output.
"""

import gc
import os
import sys
from pathlib import Path
from types import ModuleType

from bench.core.exchange.messages import Describe, Reply, Request, encoded, request_of
from bench.core.exchange.probe import Probe
from bench.core.variants import from_row
from bench.measure import sources
from bench.process.parent import die_with_parent

RANKS = "ranks"
"""The folder for the files of a trial's ranks, beside its request."""
OF_RANKS = {Probe.STEPS, Probe.MEMORY}
"""The probes that several ranks can begin a trial with."""


def main(request_path: str, reply_path: str) -> None:
    """Answer one question."""
    die_with_parent()
    asked = Path(request_path)
    Path(reply_path).write_bytes(encoded(answer(request_of(asked.read_bytes()), asked.parent)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the reply is written: taking torch down would cost every trial half a second


def answer(request: Describe | Request, folder: Path) -> Reply:
    """The reply. The code that makes it is imported here, once the tree is on the path.

    Several ranks are processes of their own, whose files are in `folder`.
    """
    if isinstance(request, Describe):
        from bench.measure.system.environment import describe  # noqa: PLC0415 - as below

        return Reply(environment=describe())
    if from_row(request.variant).world_size > 1 and OF_RANKS & set(request.probes):
        from bench.measure.ranks import launch  # noqa: PLC0415 - slow, and only they need torch's launcher

        return launch.answer(request, folder / RANKS)
    reply: Reply = loaded(request.tree).answer(request)
    return reply


def loaded(tree: str | None) -> ModuleType:
    """The module that takes a trial, which imports torch, and `nin` of the tree if there is one."""
    if tree:
        sources.put_first(Path(tree))
    gc.disable()  # modules stay: looking through them again and again takes a tenth of a trial's start
    from bench.measure import trial  # noqa: PLC0415 - as above

    gc.freeze()
    gc.enable()
    return trial


if __name__ == "__main__":
    main(*sys.argv[1:])
