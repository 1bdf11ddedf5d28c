"""How several ranks share the training of one model."""

from bench.core.axes.axis import Axis, Value, by_name

DDP, FSDP = "ddp", "fsdp"

PARALLEL = Axis(
    default=DDP,
    values=by_name(
        Value(DDP),
        Value(
            FSDP,
            words="FSDP",
            python=(
                "for block in model.children():",
                "    fully_shard(block)",
                "fully_shard(model)  # before the optimizer",
            ),
        ),
    ),
    of_training="inference has no gradients to average",
)
