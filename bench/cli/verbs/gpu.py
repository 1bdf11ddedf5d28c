"""The work of `bench gpu`."""

from bench.gpu.acceptance import run

__all__ = ["run"]
