"""The cause that an error stands for. Some errors of torch differ in their text alone: only this file reads it."""

import torch

from bench.core.exchange.cause import MOST_LETTERS, Cause, Fault
from bench.core.home import without_home
from bench.measure.workload import UnsupportedError
from bench.tasks.factory import ModelError
from bench.tasks.task import TaskError
from nin.data import DataError

INDEX_WORDS = ("canUse32BitIndexMath", "integer out of range", "INT_MAX", "must be positive, but got N=-")
"""Words about a tensor of 2^31 elements or more: of convolutions and pooling on CUDA, oneDNN, and a launch on CUDA.

pytorch/pytorch issues 80020, 167253 and 43476; libtorch_cpu of torch 2.14.
"""
STALLED_WORDS = ("Timed out waiting",)
"""Words of gloo about a rank that does not come to exchange data (gloo, transport/tcp/unbound_buffer.cc)."""
MEMORY_WORDS = ("can't allocate memory", "out of memory")
"""Words about no memory: of torch's allocator on the CPU, and of libraries of CUDA."""
CAUSE_OF: dict[type[Exception], Cause] = {
    torch.OutOfMemoryError: Cause.OUT_OF_MEMORY,
    MemoryError: Cause.OUT_OF_MEMORY,
    DataError: Cause.DATA_ERROR,
    ModelError: Cause.MODEL_ERROR,
    TaskError: Cause.MODEL_ERROR,
}
GAVE_UP = "FailOnRecompileLimitHit"
"""The name of an error of torch._dynamo.exc, which eager code does not load."""


def fault_of(error: Exception) -> Fault:
    """The fault of a trial that raised this error."""
    cause = cause_of(error)
    if cause is Cause.RECOMPILE_LIMIT:
        return Fault(cause, "it was compiled again so often that torch gives up and runs it eagerly")
    return Fault(cause, reason_of(error))


def cause_of(error: Exception) -> Cause:
    """The cause that an error stands for."""
    if isinstance(error, UnsupportedError):
        return error.cause
    for kind, cause in CAUSE_OF.items():
        if isinstance(error, kind):
            return cause
    if type(error).__name__ == GAVE_UP:
        return Cause.RECOMPILE_LIMIT
    if isinstance(error, RuntimeError) and says(error, INDEX_WORDS):
        return Cause.BEYOND_INDEX
    if isinstance(error, RuntimeError) and says(error, STALLED_WORDS):
        return Cause.TIME_LIMIT
    return Cause.OUT_OF_MEMORY if says(error, MEMORY_WORDS) else Cause.EXCEPTION


def says(error: Exception, words: tuple[str, ...]) -> bool:
    """Whether an error's text has one of these words."""
    return any(word in str(error) for word in words)


def reason_of(error: Exception) -> str:
    """An error in one line, after its type's name if that is one of Python's own."""
    text = " ".join(str(error).split()) or type(error).__name__
    named = type(error).__module__ == "builtins"
    return without_home(f"{type(error).__name__}: {text}" if named else text)[:MOST_LETTERS]
