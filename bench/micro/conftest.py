"""Options of the suite, and the layers that it measures."""

from pathlib import Path

import msgspec
import pytest

from bench.core.header import read_run
from bench.core.traces import file_name
from bench.core.variants import parse_id
from bench.measure.clock import Clock
from bench.measure.devices.find import clock_for
from bench.measure.leaves import leaves, type_of
from bench.measure.workload import Inputs, Workload, build
from bench.micro.parts import Caches, Part, capture
from bench.micro.stopwatch import stopwatch

WORK = pytest.StashKey[Workload]()
FOLDER = "micro"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options by which `python -m bench micro` calls the suite."""
    group = parser.getgroup("nin-bench")
    group.addoption("--run", help="The folder of the run beside which the results are written.")
    group.addoption("--variant", help="The variant whose layers are measured, by its id.")
    group.addoption("--inputs", help="What its model is fed, as JSON.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-benchmark keep its results with the run. This comes before it reads where to keep them."""
    if not (config.option.run and config.option.variant):
        message = "call the suite by: python -m bench micro [--run RUN] [--variant ID]"
        raise pytest.UsageError(message)
    config.option.benchmark_storage = f"file://{Path(config.option.run).resolve() / FOLDER}"
    config.option.benchmark_autosave = config.option.benchmark_autosave or file_name(config.option.variant)


def workload(config: pytest.Config) -> Workload:
    """The variant's workload, made once."""
    if WORK not in config.stash:
        header = read_run(Path(config.option.run))
        inputs = msgspec.json.decode(config.option.inputs, type=Inputs)
        config.stash[WORK] = build(parse_id(config.option.variant), inputs, header.seed)
    return config.stash[WORK]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each leaf of the model."""
    if "path" in metafunc.fixturenames:
        layers = leaves(workload(metafunc.config).trainer.model)
        metafunc.parametrize("path", layers, ids=[f"{path} {type_of(leaf)}" for path, leaf in layers.items()])


@pytest.fixture(scope="session")
def parts(request: pytest.FixtureRequest) -> dict[str, Part]:
    """The layers as they stand in a step."""
    return capture(workload(request.config))


@pytest.fixture(scope="session")
def caches(request: pytest.FixtureRequest) -> Caches:
    """The device's caches."""
    return Caches(workload(request.config).device)


@pytest.fixture(scope="session")
def clock(request: pytest.FixtureRequest) -> Clock:
    """The clock of the device."""
    return clock_for(workload(request.config).device)


@pytest.fixture(autouse=True)
def timed(clock: Clock) -> None:
    """Have each test timed in the device's own order of work."""
    stopwatch.begin(clock)


@pytest.fixture
def part(parts: dict[str, Part], path: str) -> Part:
    """The layer of a test, which is skipped if a step does not call it."""
    if path not in parts:
        pytest.skip("a step does not call it")
    return parts[path]


@pytest.fixture
def labels(request: pytest.FixtureRequest, path: str, cache: str) -> dict[str, str]:
    """The variant, the layer and the state of the caches, by which the report finds a result."""
    return {"variant_id": request.config.option.variant, "layer": path, "cache": cache}
