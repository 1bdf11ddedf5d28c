"""`python -m bench`."""

import bench.core.declared  # noqa: F401 # isort: skip - before all that it may find missing

from bench.cli.app import app

if __name__ == "__main__":
    app(prog_name="python -m bench")
