"""`nin_bench.py bench.measure.ranks.rank FOLDER`: one rank of a trial.

Its reply is always written, unless the process is killed or the ranks never find each other. If the reply is not ok,
the process ends with an exit code. Then torch's launcher ends the other ranks too: they would wait for this one.
"""

import os
import sys
from pathlib import Path

from msgspec.structs import replace

from bench.core.exchange.messages import Describe, Request, encoded, request_of
from bench.measure import worker
from bench.measure.ranks import files, peers
from bench.process.parent import die_with_parent


def main(folder: Path) -> None:
    """Answer the request in the folder, together with the other ranks."""
    die_with_parent()
    request = request_of(files.request(folder).read_bytes())
    if isinstance(request, Describe):
        msg = "several ranks describe no machine"
        raise TypeError(msg)
    trial = worker.loaded(request.tree)
    ranks = peers.joined(request.variant["device"])
    reply = trial.answer(on_own_device(request, ranks.rank), ranks)
    files.reply(folder, ranks.rank).write_bytes(encoded(reply))
    if not reply.ok:
        files.note_failure(folder, ranks.rank)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if reply.ok else files.FAILED)


def on_own_device(request: Request, rank: int) -> Request:
    """The request for a rank: on CUDA each has a device of its own, counted from the one that was asked for."""
    device = request.variant["device"]
    if not device.startswith("cuda"):
        return request
    first = int(device.partition(":")[2] or 0)
    return replace(request, variant=request.variant | {"device": f"cuda:{first + rank}"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
