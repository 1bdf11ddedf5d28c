"""How far a variant took effect, from what its layers gave."""

import pytest

from bench.core.partial import Counted, Facts, Share, format_share, shares
from bench.core.variants import Variant


def layer(kind: str, lies: str = "nchw", dtype: str = "float32", gradient: str = "") -> Facts:
    return {"type": kind, "memory_format": lies, "dtype": dtype, "gradient_format": gradient}


NHWC = layer("Conv2d", "nhwc", gradient="nhwc")
LOST = layer("ReLU", "nchw", gradient="nchw")
HALF = layer("Conv2d", dtype="bfloat16")


@pytest.mark.parametrize(
    ("axes", "layers", "told"),
    [
        ({}, [layer("Conv2d"), layer("Linear", "")], []),
        ({}, [layer("Conv2d", "nhwc", gradient="nhwc")], []),  # nobody asked for nchw
        ({}, [layer("Conv2d"), HALF], ["1 of 2 computing layers in float32"]),
        ({}, [layer("Conv2d"), layer("Mask", dtype="bool"), layer("Bins", dtype="int64")], []),
        ({"precision": "fp32"}, [HALF], ["none of 1 computing layers in float32"]),
        ({"precision": "bf16"}, [HALF] * 39 + [layer("Linear")], ["39 of 40 computing layers in bfloat16"]),
        ({"precision": "bf16"}, [HALF, layer("Softmax")], []),  # autocast leaves those in float32
        ({"precision": "fp16"}, [HALF], ["none of 1 computing layers in float16"]),
        (
            {"memory_format": "nhwc"}, [NHWC, NHWC, LOST],
            ["2 of 3 image layers' outputs as nhwc", "2 of 3 gradients as nhwc"],
        ),
        (
            {"memory_format": "nhwc"}, [NHWC] * 14 + [layer("Conv2d", "nhwc", gradient="nchw")],
            ["14 of 15 gradients as nhwc"],
        ),
        ({"memory_format": "nhwc"}, [NHWC, layer("AdaptiveAvgPool2d", "both", gradient="both")], []),
        ({"memory_format": "nhwc"}, [layer("LayerNorm", "nchw", gradient="nchw"), NHWC], []),
        ({"memory_format": "nhwc"}, [layer("Conv2d", "other")], ["none of 1 image layers' outputs as nhwc"]),
        (
            {"memory_format": "nhwc", "precision": "bf16"}, [NHWC, layer("Conv2d", "nhwc", "bfloat16", "nhwc")],
            ["1 of 2 computing layers in bfloat16"],
        ),
        ({"memory_format": "nhwc"}, [], []),  # a compiled model's layers are not seen
    ],
)  # fmt: skip
def test_what_is_not_as_asked_is_counted(axes: dict[str, str], layers: list[Facts], told: list[str]) -> None:
    found = shares(Variant(**axes), layers)  # type: ignore[arg-type]

    assert [share.words for share in found if not share.whole] == told


@pytest.mark.parametrize(
    ("counted", "got", "of", "none"),
    [
        (Counted.OUTPUTS, 0, 4, True),
        (Counted.COMPUTING, 0, 1, True),
        (Counted.WEIGHTS, 0, 3, True),
        (Counted.OUTPUTS, 1, 4, False),
        (Counted.OUTPUTS, 0, 0, False),  # nothing tells
        (Counted.GRADIENTS, 0, 1, False),  # such as that of a mean over the planes, in a net of one convolution
    ],
)
def test_only_what_took_no_effect_at_all_did_not_take_effect(counted: Counted, got: int, of: int, none: bool) -> None:
    assert Share(counted=counted, asked="nhwc", got=got, of=of).none == none


def test_a_format_that_fits_either_tells_nothing() -> None:
    share = format_share(Counted.WEIGHTS, "nhwc", ["both", "nhwc", "", "nchw", "other"])

    assert (share.got, share.of, share.words) == (1, 3, "1 of 3 weights as nhwc")
