"""How weights and images lie in memory."""

from bench.core.axes.axis import Axis, SetBy, Value, by_name

MEMORY_FORMAT = Axis(
    default="nchw",
    values=by_name(
        Value("nchw"),
        Value(
            "nhwc",
            python=(
                "model = model.to(memory_format=torch.channels_last)",
                "x = x.contiguous(memory_format=torch.channels_last)  # every batch",
            ),
        ),
    ),
    always_in_id=True,
    set_by=SetBy.TRAINER,
)
