"""Calls within calls, and the time that intervals cover."""

import numpy as np
import numpy.typing as npt

from bench.analyse.kineto.reading.events import UNKNOWN, Integers

Moments = Integers | npt.NDArray[np.float64]
"""Moments of any unit."""


def parents(threads: Integers, begins: Moments, ends: Moments) -> Integers:
    """For each call the innermost call of its thread that was under way as it began; UNKNOWN if there was none.

    Of two calls with the same begin the longer one is the outer one, and of two equal ones the first.
    """
    found = np.full(len(begins), UNKNOWN, dtype=np.int64)
    order = in_order(threads, begins, ends)
    open_calls: list[tuple[int, int]] = []  # end and index of each call under way
    last_thread = None
    columns = (order, threads[order], begins[order], ends[order])
    for index, thread, begin, end in zip(*(column.tolist() for column in columns), strict=True):
        if thread != last_thread:
            open_calls, last_thread = [], thread
        while open_calls and open_calls[-1][0] <= begin:
            open_calls.pop()
        if open_calls:
            found[index] = open_calls[-1][1]
        open_calls.append((end, index))
    return found


def in_order(threads: Integers, begins: Moments, ends: Moments) -> Integers:
    """The calls in an order in which each comes after the one that it is within."""
    return np.lexsort((-ends, begins, threads)).astype(np.int64)


def innermost(calls: tuple[Integers, Integers, Integers], threads: Integers, moments: Integers) -> Integers:
    """For each moment on a thread the innermost call under way; UNKNOWN if there is none.

    `calls` are their threads, begins and ends.
    """
    queries = (threads, moments, moments)
    joined = [np.concatenate(pair) for pair in zip(calls, queries, strict=True)]
    return parents(*joined)[len(calls[0]) :]


def own(parent: Integers, begins: Integers, ends: Integers) -> Integers:
    """For each call its time without the calls within it. Summed over a thread, that is the time that any covers."""
    durations = ends - begins
    inner = np.flatnonzero(parent != UNKNOWN)
    within = np.minimum(ends[inner], ends[parent[inner]]) - begins[inner]
    return durations - np.bincount(parent[inner], within, len(parent)).astype(np.int64)


def with_inner(values: Integers, parent: Integers, order: Integers) -> Integers:
    """Each call's value with those of all calls within it, at any depth; `order` is of `in_order`."""
    summed = values.tolist()
    outer = parent.tolist()
    for index in reversed(order.tolist()):
        if outer[index] != UNKNOWN:
            summed[outer[index]] += summed[index]
    return np.array(summed, dtype=np.int64)


def merged(begins: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """The begins and ends of the stretches that intervals cover, in order and apart."""
    if not len(begins):
        return begins, ends
    order = np.argsort(begins, kind="stable")
    starts, reached = begins[order], np.maximum.accumulate(ends[order])
    fresh = np.flatnonzero(np.r_[True, starts[1:] > reached[:-1]])
    return starts[fresh], reached[np.r_[fresh[1:] - 1, len(starts) - 1]]


def covered(stretches: tuple[Integers, Integers], begins: Integers, ends: Integers) -> Integers:
    """How much of each window, from its begin to its end, the stretches of `merged` cover."""
    starts, stops = stretches
    if not len(starts):
        return np.zeros(len(begins), dtype=np.int64)
    before = np.r_[0, np.cumsum(stops - starts)]

    def until(moments: Integers) -> Integers:
        """How much is covered before each moment."""
        index = np.searchsorted(starts, moments, side="right")
        last = np.maximum(index - 1, 0)
        beyond = np.where(index > 0, np.maximum(stops[last] - np.maximum(moments, starts[last]), 0), 0)
        return np.asarray(before[index] - beyond, dtype=np.int64)

    return until(ends) - until(begins)
