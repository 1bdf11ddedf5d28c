"""Whether cuDNN tries its algorithms for each new shape and keeps the fastest."""

from bench.core.axes.axis import Axis, SetBy, Value, by_name

CUDNN_BENCHMARK = Axis(
    default="off",
    values=by_name(
        Value("off", flags={"backends.cudnn.benchmark": False}),
        Value(
            "on",
            words="cudnn.benchmark",
            flags={"backends.cudnn.benchmark": True},
            needs_cuda="cuDNN runs on CUDA devices only",
        ),
    ),
    mark="cudnnbench{}",
    set_by=SetBy.TRAINER,
    of_cuda=True,
)
