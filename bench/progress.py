"""What a person sees while a run goes on: one line that is redrawn in a terminal, plain lines elsewhere.

Nothing is drawn while a trial runs: drawing takes time from what is measured.
"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


def duration(seconds: float) -> str:
    """Seconds in words: `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class RunProgress:
    """Shows how far a run is and how long it will take."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, left="")
        self._drawn = console.is_terminal

    def before(self, what: str, done: int, total: int, left_s: float) -> None:
        """A trial begins: `what` in words, with the trials done, all planned and the seconds left."""
        left = f"about {duration(left_s)} left"
        if self._drawn:
            self._bar.start()
            self._bar.update(self._task, description=what, completed=done, total=total, left=left)
            self._bar.refresh()
        else:
            self.console.print(f"{done + 1}/{total} {what}, {left}", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line for good."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn:
            self._bar.stop()
