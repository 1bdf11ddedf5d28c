"""What a tensor that a step holds is for."""

from enum import StrEnum


class Kind(StrEnum):
    """What a tensor is for."""

    PARAMETERS = "parameters"
    GRADIENTS = "gradients"
    STATE = "optimizer state"
    BUFFERS = "buffers"
    INPUTS = "inputs"
    KEPT = "kept for backward"
    """What forward or the loss made: in inference it is only on its way."""
    PASSING = "passing in backward"
    OTHER = "other"


OF_MODEL = (Kind.PARAMETERS, Kind.GRADIENTS, Kind.STATE)
"""The kinds in the allocator's peak that are as large whatever the batch is."""
