"""The search for the largest batch that fits: which size to try next. Pure: nothing runs here."""

from dataclasses import dataclass, field

RESOLUTION = 16
"""The search ends when the largest size that fits and the smallest that does not are a sixteenth apart."""
ROOM = 0.98
"""The share of the limit at which a projection aims."""
AVAILABLE_SHARE = 0.8
"""The share of the available memory that a CPU's trials may take, unless the user gives a limit."""


@dataclass(slots=True, kw_only=True)
class Search:
    """The sizes that were tried, and which to try next."""

    start: int
    cap: int
    """The number of train images: a batch can't be larger."""
    limit_bytes: int | None = None
    tried: dict[int, int | None] = field(default_factory=dict)
    """By size, the peak in bytes (0 if it is unknown); None if the size did not fit."""

    @property
    def fits(self) -> int:
        """The largest size that fitted; 0 if none did yet."""
        return max((size for size, peak in self.tried.items() if peak is not None), default=0)

    @property
    def too_large(self) -> int:
        """The smallest size that did not fit; one more than `cap` if all did."""
        return min((size for size, peak in self.tried.items() if peak is None), default=self.cap + 1)

    def next(self) -> int | None:
        """The size to try next; None if the largest is known to a sixteenth."""
        low, high = self.fits, self.too_large
        if not self.tried:
            return min(self.start, self.cap)
        if not low:
            return high // 2 or None
        step = max(1, low // RESOLUTION)
        if high - low <= step:
            return None
        guess = self.projected() or 2 * low
        if not low + step <= guess < high:
            guess = low + step if guess < high else (low + high) // 2 if high <= self.cap else self.cap
        return min(guess, high - 1)

    def projected(self) -> int | None:
        """The size that should reach the limit, on the line through two peaks; None if there are no two."""
        known = sorted((size, peak) for size, peak in self.tried.items() if peak)
        if self.limit_bytes is None or len(known) < 2:
            return None
        (first, first_bytes), (last, last_bytes) = known[0], known[-1]
        image_bytes = (last_bytes - first_bytes) / (last - first)
        if image_bytes <= 0:
            return None
        return last + int((ROOM * self.limit_bytes - last_bytes) / image_bytes)
