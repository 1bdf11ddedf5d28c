"""The run that several tests of a report share."""

import pytest

from bench.analyse.load import RunData, load
from tests.bench.report.made_up import MakeRun, full


@pytest.fixture
def full_run(make_run: MakeRun) -> RunData:
    """A run with everything that a report shows."""
    return load(full(make_run))
