"""What a minor page fault costs: the first write to pages that are new to the process, less a second write to them.

.nox/env/bin/python -m benchmarks.page_fault
"""

import mmap
import resource
import time

import numpy as np

PAGES = 2**15
TIMES = 25


def main() -> None:
    """Print the CPU seconds of a fault: median, least and most."""
    costs = sorted(fault_s() for _ in range(TIMES))
    median, least, most = (1e6 * cost for cost in (costs[TIMES // 2], costs[0], costs[-1]))
    print(f"{median:.2f} us CPU a fault [{least:.2f}, {most:.2f}], {TIMES} times {PAGES} pages of {mmap.PAGESIZE} B")


def fault_s() -> float:
    """CPU seconds a fault, over PAGES pages that one thread writes to."""
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        first_bytes = np.frombuffer(memory, dtype=np.uint8)[:: mmap.PAGESIZE]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        first_s = cpu_s_of_write(first_bytes)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        again_s = cpu_s_of_write(first_bytes)
        del first_bytes  # the mapping can't be closed while it is there
    return (first_s - again_s) / faults


def cpu_s_of_write(values: np.ndarray) -> float:
    """CPU seconds of writing to every value."""
    start = time.process_time()
    values[:] = 1
    return time.process_time() - start


if __name__ == "__main__":
    main()
