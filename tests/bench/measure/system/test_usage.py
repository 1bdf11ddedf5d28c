"""CPU seconds, page faults and switches, of this process and its live children."""

import mmap
import multiprocessing
import time

from bench.measure.system.usage import usage

PAGES = 2000


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_spinning_is_user_time() -> None:
    before = usage()
    spin(0.2)
    used = usage() - before

    assert 0.19 < used.cpu_user + used.cpu_system < 1


def test_touching_new_pages_is_as_many_faults() -> None:
    before = usage()
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE) as area:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            area.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(PAGES):
            area[page * mmap.PAGESIZE] = 1
    used = usage() - before

    assert PAGES <= used.page_faults < PAGES + 500


def test_a_live_childs_seconds_count() -> None:
    context = multiprocessing.get_context("fork")
    done, go_on = context.Event(), context.Event()

    def work() -> None:
        spin(0.3)
        done.set()
        go_on.wait(60)

    child = context.Process(target=work)
    before = usage()
    child.start()
    assert done.wait(60)
    used = usage() - before
    go_on.set()
    child.join()

    assert 0.25 < used.cpu_user + used.cpu_system < 2
