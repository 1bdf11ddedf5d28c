"""Goes on with a run on the fake worker until it is complete, or killed: `python go_on.py FOLDER CACHE`."""

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.analyse.decided import decided
from bench.analyse.race import ranking
from bench.core.header import read_run
from bench.core.progress import RunProgress
from bench.run import session
from bench.run.record import resume
from tests.bench.conftest import FAKE


def main(folder: str, cache: str) -> None:
    run = resume(Path(folder), read_run(Path(folder)), RunProgress(Console(file=StringIO())), Path(cache))
    run.worker = FAKE
    session.execute(run, after_pilot=lambda _: None, ranking=ranking, decided=decided)


if __name__ == "__main__":
    main(*sys.argv[1:])
