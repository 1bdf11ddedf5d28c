"""Floating-point operations of an operator, from the shapes of its tensors.

The formulas are torch's (torch.utils.flop_counter): a multiplication and an addition are two operations, and
elementwise work is none. Masks and causal attention save nothing. Some are replaced or added here:

- the backward of a convolution: torch's counts the gradient of a grouped weight once too often for each group
  (pytorch pull request 183405). Each gradient of a convolution takes as many operations as its forward;
- of complex numbers each operation is four real ones; torch's formulas count one;
- attention on the CPU, recurrent layers, and products with a vector have none in torch.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import (
    conv_flop_count,
    flop_registry,
    sdpa_backward_flop_count,
    sdpa_flop_count,
    shape_wrapper,
)

from bench.tasks.nest import tensors

aten = torch.ops.aten
Formula = Callable[..., int]
Shape = Sequence[int]
TORCHS = ("aten", "prim", "prims", "profiler")
"""The libraries of torch whose operators have a formula, or no operations."""
GATES_BACKWARD = 2
"""Backward of a product takes two products: one for each factor's gradient."""


def convolution_backward(
    gradient: Shape, x: Shape, weight: Shape, _bias: object, _stride: object, _padding: object, _dilation: object,
    transposed: bool, _output_padding: object, _groups: int, output_mask: Sequence[bool], **_more: object,  # noqa: FBT001
) -> int:  # fmt: skip
    """Of the gradients of input and weight, as far as they are asked for; that of the bias is a sum."""
    forward = conv_flop_count(list(x), list(weight), list(gradient), transposed=transposed)
    return int(sum(output_mask[:2]) * forward)


def attention(query: Shape, key: Shape, value: Shape, *_args: object, **_more: object) -> int:
    """Of both products of attention."""
    return int(sdpa_flop_count(query, key, value))


def attention_backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *_args: object, **_more: object) -> int:
    """Of the five products of its backward."""
    return int(sdpa_backward_flop_count(gradient, query, key, value))


def mkldnn_rnn(x: Shape, of_input: Shape, of_state: Shape, *_args: object, **_more: object) -> int:
    """Of a recurrent layer in one direction: every step multiplies an input and a state by all gates' weights."""
    return 2 * prod(x[:-1]) * (prod(of_input) + prod(of_state))


def mkldnn_rnn_backward(*args: Any, **_more: object) -> int:  # noqa: ANN401
    """Of the gradients of inputs, states and weights."""
    return GATES_BACKWARD * mkldnn_rnn(*args[:3])


def cudnn_rnn(x: Shape, weights: Sequence[Shape], *_args: object, **_more: object) -> int:
    """Of a recurrent network: every step multiplies by every weight matrix once."""
    return 2 * prod(x[:-1]) * sum(prod(weight) for weight in weights if len(weight) > 1)


def cudnn_rnn_backward(*args: Any, **_more: object) -> int:  # noqa: ANN401
    """Of the gradients of inputs, states and weights."""
    return GATES_BACKWARD * cudnn_rnn(*args[:2])


def matrix_vector(matrix: Shape, _vector: Shape, **_more: object) -> int:
    """Of a matrix times a vector."""
    return 2 * prod(matrix)


def added_matrix_vector(_x: Shape, matrix: Shape, _vector: Shape, **_more: object) -> int:
    """Of a vector plus a matrix times a vector."""
    return 2 * prod(matrix)


def dot(x: Shape, _y: Shape, **_more: object) -> int:
    """Of the product of two vectors."""
    return 2 * prod(x)


OWN: dict[str, Formula] = {
    "convolution_backward": convolution_backward,
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": attention_backward,
    "mkldnn_rnn_layer": mkldnn_rnn,
    "mkldnn_rnn_layer_backward": mkldnn_rnn_backward,
    "_cudnn_rnn": cudnn_rnn,
    "_cudnn_rnn_backward": cudnn_rnn_backward,
    "mv": matrix_vector,
    "addmv": added_matrix_vector,
    "dot": dot,
    "vdot": dot,
}
FORMULAS: dict[Any, Formula] = {
    **flop_registry,
    **{getattr(aten, name): shape_wrapper(formula) for name, formula in OWN.items() if hasattr(aten, name)},
}


COMPLEX = 4
"""A complex multiplication and addition take four real ones of each (of which two additions make the product)."""
HEAVY = (
    "_native_multi_head_attention", "_transformer_encoder_layer_fwd", "_trilinear", "_cdist_forward", "_cdist_backward",
    "_fft_c2c", "_fft_r2c", "_fft_c2r", "linalg_inv_ex", "linalg_lu_factor_ex", "linalg_cholesky_ex", "linalg_qr",
    "linalg_eigh", "_linalg_svd", "_linalg_solve_ex", "_sparse_mm", "addbmm", "_addmm_activation",
)  # fmt: skip
"""Operators of torch that do much and have no formula."""


def flops(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> int | None:  # noqa: ANN401
    """The operations of a call; 0 for what counts as none, None if nobody knows them.

    Unknown are operators of other libraries, those in HEAVY, those that hold others, and those of nested tensors.
    """
    packet = getattr(operator, "overloadpacket", None)
    if packet is None or any(x.is_nested for x in tensors(args)):
        return None
    name = packet.__name__
    in_place = getattr(aten, name.rstrip("_"), None) if name.endswith("_") and not name.startswith("_") else None
    formula = FORMULAS.get(packet) or FORMULAS.get(in_place)
    if formula is not None:
        each = COMPLEX if any(x.is_complex() for x in tensors(result)) else 1
        return each * int(formula(*args, **kwargs, out_val=result))
    return 0 if operator.namespace in TORCHS and name not in HEAVY else None
