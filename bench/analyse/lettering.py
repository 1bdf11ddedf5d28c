"""Text from outside as a figure bears it: no mathematics, no letter that the font has not, and short."""

from matplotlib import font_manager

from bench.text import shortened

MOST_LETTERS = 40


def lettered(text: str) -> str:
    r"""The text as matplotlib draws it letter by letter, cut; a letter that the font has not as Python's escape.

    Dollars are escaped, since two of them enclose mathematics, and a name that begins with an underscore gets a blank
    in front, since a legend leaves it out.
    """
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    drawn = "".join(
        letter if font.get_char_index(ord(letter)) else letter.encode("unicode_escape").decode()
        for letter in shortened(text, MOST_LETTERS)
    )
    drawn = shortened(drawn, MOST_LETTERS).replace("$", r"\$")
    return f" {drawn}" if drawn.startswith("_") else drawn
