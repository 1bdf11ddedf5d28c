"""The verbs, called by `python -m bench` or `nin-bench`."""

import nin_bench

nin_bench.settle()  # before any module is imported that the calling folder could replace

import bench.core.declared  # noqa: E402, F401 # isort: skip - before all that it may find missing

from bench.cli.app import app  # noqa: E402
from bench.core.exits import called  # noqa: E402


def main() -> None:
    """Calls the verb that the command line names."""
    app(prog_name=called())


if __name__ == "__main__":
    main()
