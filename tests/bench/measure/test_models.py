"""Any model has a table of layers: torchvision's, and one from a test's module."""

import pytest

from bench.core.exchange.messages import Request
from bench.core.header import Counts
from bench.measure import trial
from bench.measure.leaves import tree
from bench.tasks.factory import build_model
from tests.bench.measure.asking import outcome, request

MODELS = {
    "torchvision.models:alexnet": ((3, 64, 64), 57_044_810),  # torchvision 0.24's own counts, with ten classes
    "torchvision.models:vgg11": ((3, 32, 32), 128_807_306),
    "torchvision.models:resnet18": ((3, 32, 32), 11_181_642),
    "torchvision.models:resnet18 nhwc": ((3, 32, 32), 11_181_642),
    "tests_models:honest": ((1, 28, 28), 80 + 584 + 90),
}


def asked(name: str, shape: tuple[int, int, int]) -> Request:
    model, _, layout = name.partition(" ")
    counts = Counts(warmup=0, plain=1, iterations=1, stamped=1)
    return request(
        "steps+layers+kernels+numerics", shape, counts, model=model, batch_size=2, memory_format=layout or "nchw"
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_its_layers_timed_and_told(name: str) -> None:
    shape, parameters = MODELS[name]
    reply = trial.answer(asked(name, shape))
    paths = set(tree(build_model(name.partition(" ")[0], shape[0], 10)))
    timed = {s.layer for s in reply.samples if s.scope == "layer" and s.phase == "forward"}

    assert outcome(reply) == ("ok", "")
    assert {fact.layer for fact in reply.layers} == paths
    assert timed == paths | {"between"}
    assert sum(fact.parameters for fact in reply.layers) == parameters
    assert all(fact.kernel.startswith("aten::") for fact in reply.layers if fact.type in ("Conv2d", "Linear"))
