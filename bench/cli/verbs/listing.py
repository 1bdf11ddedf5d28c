"""The work of `bench list`."""

from bench.run.prepare.listing import describe

__all__ = ["describe"]
