"""`nin_bench.py bench.measure.worker REQUEST REPLY`: one question, asked and answered in JSON files.

A reply is always written, unless the process is killed. What libraries print goes to the log that the parent gave as
standard output.
"""

import gc
import os
import sys
from pathlib import Path

from bench.core.exchange.messages import Describe, Reply, Request, encoded, request_of
from bench.measure import sources
from bench.process.parent import die_with_parent


def main(request_path: str, reply_path: str) -> None:
    """Answer one question."""
    die_with_parent()
    Path(reply_path).write_bytes(encoded(answer(request_of(Path(request_path).read_bytes()))))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the reply is written: taking torch down would cost every trial half a second


def answer(request: Describe | Request) -> Reply:
    """The reply. The code that makes it is imported here, once the tree is on the path."""
    if isinstance(request, Describe):
        from bench.measure.system.environment import describe  # noqa: PLC0415 - as below

        return Reply(environment=describe())
    if request.tree:
        sources.put_first(Path(request.tree))
    gc.disable()  # modules stay: looking through them again and again takes a tenth of a trial's start
    from bench.measure import trial  # noqa: PLC0415 - it imports torch, and `nin` of the tree

    gc.freeze()
    gc.enable()
    return trial.answer(request)


if __name__ == "__main__":
    main(*sys.argv[1:])
