"""What gives the process its memory on the host."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, Value, by_name
from bench.core.axes.place import Place

NEVER_RETURN = "100000000000"  # bytes: far beyond any memory
KEPT = "kept"
"""The value with which freed memory stays with the process."""
LIBRARIES = ("libjemalloc", "libtcmalloc", "libmimalloc")
"""What the files of allocators that take glibc's place are called in a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocator(Value):
    """What an allocator needs, and what its process must show."""

    glibc: tuple[int, int] | None = None
    """The oldest glibc that has the setting; None if it is no setting of glibc."""
    huge_pages: bool = False
    """Whether it needs transparent huge pages; its process must then have used some."""
    shared_object: str = ""
    """The one of LIBRARIES that its process must have loaded, and no other; empty for none."""
    most_faulted_share: float = 1.0
    """In at least one step the newly mapped memory must be no more than this share of the process."""

    @property
    def keeps(self) -> bool:
        """Whether freed memory stays with the process."""
        return self.most_faulted_share < 1

    def why_not(self, place: Place) -> str:
        """Why it can't run on a machine, in words; empty if nothing is known against it."""
        machine = place.machine
        if self.glibc is not None and machine.glibc is None:
            return f"{self.name} is a setting of glibc, which this system does not use"
        if self.glibc is not None and machine.glibc is not None and machine.glibc < self.glibc:
            return f"{self.name} needs glibc {'.'.join(map(str, self.glibc))}"
        if self.huge_pages and machine.huge_pages not in ("madvise", "always"):
            return f"transparent huge pages are set to {machine.huge_pages or 'unknown'}"
        return Value.why_not(self, place)


ALLOCATOR = Axis(
    default="default",
    values=by_name(
        Allocator("default"),
        Allocator(
            KEPT,
            variables={"MALLOC_TRIM_THRESHOLD_": NEVER_RETURN, "MALLOC_MMAP_THRESHOLD_": NEVER_RETURN},
            glibc=(2, 0),
            # The heap still grows in the first steps (up to 5 % of NiN's process at batch 32), while the default maps
            # about 30 % in every one.
            most_faulted_share=0.12,
        ),
        Allocator(
            "hugepages",
            variables={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
            glibc=(2, 35),
            huge_pages=True,
        ),
        Allocator(
            "tcmalloc",
            preload=("tcmalloc_minimal", "tcmalloc"),
            package="libtcmalloc-minimal4",
            exports=("LD_PRELOAD=libtcmalloc_minimal.so.4",),
            shared_object="libtcmalloc",
        ),
    ),
)
