"""Any model has a table of layers: torchvision's, and one from a test's module."""

from typing import Any

import pytest

from bench.core.variants import Variant, as_row
from bench.measure import worker
from bench.measure.leaves import leaves
from bench.tasks.factory import build_model

MODELS = {
    "torchvision.models:alexnet": ((3, 64, 64), 57_044_810),  # torchvision 0.24's own counts, with ten classes
    "torchvision.models:vgg11": ((3, 32, 32), 128_807_306),
    "torchvision.models:resnet18": ((3, 32, 32), 11_181_642),
    "torchvision.models:resnet18 nhwc": ((3, 32, 32), 11_181_642),
    "tests_models:honest": ((1, 28, 28), 80 + 584 + 90),
}


def request(name: str, shape: tuple[int, int, int]) -> dict[str, Any]:
    model, _, layout = name.partition(" ")
    variant = Variant(model=model, batch_size=2, memory_format=layout or "nchw")
    return {
        "task": "trial", "variant": as_row(variant), "probes": "steps+layers+kernels+numerics", "seed": 0,
        "counts": {"warmup": 0, "plain": 1, "iterations": 1, "stamped": 1}, "memory_limit_bytes": None,
        "pilot_counts": {"plain": 1, "stamped": 1}, "inputs": {"folder": None, "shape": shape, "classes": 10},
    }  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_its_layers_timed_and_told(name: str) -> None:
    shape, parameters = MODELS[name]
    reply = worker.trial(request(name, shape))
    paths = set(leaves(build_model(name.partition(" ")[0], shape[0], 10)))
    timed = {s["layer"] for s in reply["samples"] if s["scope"] == "layer" and s["phase"] == "forward"}

    assert (reply["status"], reply["reason"]) == ("ok", "")
    assert {row["layer"] for row in reply["layers"]} == paths
    assert timed == paths | {"between"}
    assert sum(row["parameters"] for row in reply["layers"]) == parameters
    assert all(row["kernel"].startswith("aten::") for row in reply["layers"] if row["type"] in ("Conv2d", "Linear"))
