"""The colours of all figures: one for each thing, the same everywhere.

Phases have those of Okabe and Ito, distinct to any eye. Ink, paper and grid follow the theme of an HTML page, which
finds them by their exact value.
"""

import math

INK, PAPER, GRID = "#1b1b1f", "#fefefd", "#dedede"
GREY, PALE = "#8c8c8c", "#c9c9c9"
"""Of what is only compared with, and of what was left out early."""
ACCENT = "#D55E00"
"""Of what the reader looks for: the winner."""
FORWARD, BACKWARD = "#56B4E9", "#0072B2"
COLOURS = {
    "data": "#E69F00", "h2d": "#F0E442", "forward": FORWARD, "loss": "#009E73",
    "backward": BACKWARD, "communication": "#332288", "scaler": "#555555", "clip": "#882255",
    "optimizer": "#D55E00", "after_step": "#999933", "read": "#CC79A7",
}  # fmt: skip
MORE_COLOURS = ("#117733", "#44AA99", "#AA4499", "#DDCC77", "#661100")
"""For phases that only a task has."""
DARK_BELOW = 0.179
"""The relative luminance below which white text has more contrast than black (WCAG 2.2, contrast ratio)."""


def is_dark(colour: str) -> bool:
    """Whether white text on a colour, such as #0072B2, has more contrast than black."""
    if len(colour) != len(INK):
        return False
    red, green, blue = (math.pow(int(colour[i : i + 2], 16) / 255, 2.2) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < DARK_BELOW
