"""What a person sees during a run: one line that is redrawn in a terminal, plain lines elsewhere.

Nothing is drawn while a trial runs: drawing takes time from what is measured.
"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from bench.core.text import MOST_OF_A_LINE, shortened

MOST_OF_A_BAR = 120
"""The most letters in front of the bar."""


def duration(seconds: float) -> str:
    """Seconds in words: `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def say(console: Console, text: str) -> None:
    """Prints a line as it is: no markup, no emoji, and nothing that controls the terminal."""
    console.print(Text(shortened(text, MOST_OF_A_LINE)), soft_wrap=True)


class RunProgress:
    """Shows how far a run is and how long it will take."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, left="")
        self._drawn = console.is_terminal

    def before(self, title: str, done: int, total: int, left_s: float) -> None:
        """Shows that a trial begins: its title, how many trials are done and planned, and the seconds left."""
        left = f"about {duration(left_s)} left"
        if self._drawn:
            self._bar.start()
            shown = shortened(title, MOST_OF_A_BAR)
            self._bar.update(self._task, description=shown, completed=done, total=total, left=left)
            self._bar.refresh()
        else:
            say(self.console, f"{done + 1}/{total} {title}, {left}")

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        say(self.console, text)

    def end(self) -> None:
        """Removes the bar."""
        if self._drawn:
            self._bar.stop()
