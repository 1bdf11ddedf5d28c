"""Kernels of generated code found again in a trace."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.analyse.traces.fused import fused, operator_of
from bench.core.records import RecordError

KERNELS = {
    "forward": [
        ["extern_kernels.convolution", ["0"]],
        ["cpp_fused_relu_0", ["1", "2"]],
        ["extern_kernels.convolution", ["3"]],
        ["torch.ops.aten.mm.default", ["4"]],
    ]
}


def test_each_call_has_the_layers_of_its_kernel(make_span: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "fusion.json").write_text(json.dumps(KERNELS))
    events = [
        make_span("user_annotation", "phase forward", 0, 100),
        make_span("cpu_op", "aten::convolution", 10, 10),
        make_span("cpu_op", "aten::convolution", 12, 5),  # within the one before: the same call
        make_span("cpu_op", "graph_0_cpp_fused_relu_0", 20, 10),
        make_span("cpu_op", "aten::convolution", 30, 10),
        make_span("cpu_op", "aten::mm", 40, 5),
        make_span("cpu_op", "aten::mm", 50, 5),  # one more than the code has: nothing is said of either
        make_span("cpu_op", "aten::convolution", 200, 10),  # in no phase
    ]

    assert [(10, 20, "0"), (20, 30, "1, 2"), (30, 40, "3")] == sorted(fused(tmp_path / "fusion.json", events))


def test_without_notes_nothing_is_said_and_damaged_ones_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "damaged.json").write_text("{")

    assert [] == fused(tmp_path / "none.json", [])
    with pytest.raises(RecordError, match=r"damaged\.json: damaged"):
        fused(tmp_path / "damaged.json", [])


@pytest.mark.parametrize(
    ("kernel", "operator"),
    [
        ("extern_kernels.addmm", "aten::addmm"),
        ("torch.ops.mkldnn._convolution_pointwise.default", "mkldnn::_convolution_pointwise"),
        ("triton_poi_fused_relu_1", "triton_poi_fused_relu_1"),
    ],
)
def test_a_library_s_kernel_is_named_as_its_operator(kernel: str, operator: str) -> None:
    assert operator == operator_of(kernel)
