"""How machines that are alike are taken to scatter."""

from enum import StrEnum


class Tails(StrEnum):
    """How machines that are alike are taken to scatter."""

    NORMAL = "normal"
    HEAVY = "heavy"
    """Like Student's t with 4 degrees of freedom: now and then one is far off by chance."""
