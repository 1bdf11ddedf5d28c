"""Where batches are made."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, SetBy, Value, by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader(Value):
    """What measuring needs of a loader."""

    on_device: bool = False
    """Whether it makes its batches on the device that trains."""
    processes: bool = False
    """Whether it makes them in processes of its own."""


LOADER = Axis(
    default="resident",
    values=by_name(
        Loader("resident", on_device=True),
        Loader(
            "notebook",
            words="PIL images",
            python=("batches = DataLoader(dataset, batch_size, shuffle=True)  # PIL, image by image",),
        ),
        Loader(
            "workers",
            words="PIL images in workers",
            processes=True,
            python=("batches = DataLoader(dataset, batch_size, shuffle=True, num_workers=4, persistent_workers=True)",),
        ),
    ),
    set_by=SetBy.NIN,
)
