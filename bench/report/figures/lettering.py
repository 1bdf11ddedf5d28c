"""Text from outside as a figure can show it: short, without mathematics, and without letters that the font lacks."""

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from bench.core.text import shortened

MOST_LETTERS = (60, 45, 30, 20)
"""The most letters of a name: the first of these with which it is narrow enough."""
MOST_POINTS = 330.0
"""The most width of a name beside a row, about half of the figure's."""
SIZE_POINTS, DPI = 9, 72


def lettered(text: str) -> str:
    r"""The text, cut, as matplotlib draws it letter by letter, with Python's escapes for letters that the font lacks.

    Dollars are escaped, since two of them enclose mathematics. A name that begins with an underscore gets a blank
    before it, since a legend would leave it out.
    """
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    escaped = shortened(text.encode("unicode_escape").decode(), MOST_LETTERS[-1])
    cuts = (shortened(drawable(shortened(text, most), font), most) for most in MOST_LETTERS)
    fit = next((cut for cut in cuts if width_points(cut, font) <= MOST_POINTS), escaped)
    drawn = fit.replace("$", r"\$")
    return f" {drawn}" if drawn.startswith("_") else drawn


def drawable(text: str, font: FT2Font) -> str:
    """The text with an escape for each letter that the font lacks."""
    return "".join(
        letter if font.get_char_index(ord(letter)) else letter.encode("unicode_escape").decode() for letter in text
    )


def width_points(text: str, font: FT2Font) -> float:
    """The width of the text in a figure, in points."""
    font.set_size(SIZE_POINTS, DPI)
    font.set_text(text)
    return float(font.get_width_height()[0] / 64)  # in 26.6 fixed point
