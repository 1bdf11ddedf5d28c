"""Escapes and cuts text that came from a file or a user's model, before it is stored or shown.

A name may hold anything that Python's str holds. Nothing in it may control a terminal, become markup, or break a line
of a file. What was stored is read back as it was.
"""

import hashlib
import re
import shlex
import unicodedata
from collections.abc import Sequence

MOST_SHOWN = 60
"""The most letters of a name in a table or a line."""
MOST_OF_A_REASON = 300
"""The most letters of a reason or of a fact of the machine."""
MOST_OF_A_LINE = 2000
"""The most letters of a line that a verb ends with."""
ELLIPSIS = "..."

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: what controls a terminal, and the ends of lines
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"  # bidi controls, separators, what has no width
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # marks of shorthand and of musical notes
    "\ud800-\udfff]"  # lone surrogates, which no file in UTF-8 holds
)
"""Characters that are invisible, or change how others look (Unicode's Default_Ignorable and Bidi_Control)."""
ESCAPED = re.compile(r"\\(?:\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U000[0-9a-f]{5})")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "$": "&#36;", "~": "&#126;", ":": "&#58;", ".": "&#46;"}
MARKS = re.compile(
    r"[\\`*<>&$~]"
    r"|(?<![^\W_])_"  # within and after a word an underscore begins nothing
    r"|\[(?![-\d., ]*\](?![(\[:]))|(?<!\d)\]|\](?=[(\[:])"  # the bounds of an interval are no link
    r"|:(?=//)|(?<=www)\."  # GitHub makes a link of an address
)
"""What Markdown, HTML or GitHub's mathematics would read as markup."""


def visible(text: str) -> str:
    r"""The text in one line, with invisible characters as Python escapes them: `\n`, `\x1b`, `\u202e`."""
    return HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def stored(text: str) -> str:
    r"""The text as a field of a file: `visible`, and with each backslash doubled. `restored` reverses it."""
    return visible(text.replace("\\", r"\\"))


def restored(field: str) -> str:
    """The text of a field that `stored` made; a backslash that `stored` would not write stays as it is."""
    return ESCAPED.sub(lambda match: match[0].encode().decode("unicode_escape"), field)


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: lone surrogates, as in a path that is not UTF-8, are escaped as Python does."""
    return text.encode(errors="backslashreplace").decode()


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """The `visible` text; of a long one the middle is left out."""
    shown = visible(text[: most + 1] + text[most + 1 :][-most:])
    if len(shown) <= most:
        return shown
    end = (most - len(ELLIPSIS)) // 2
    return f"{shown[: most - len(ELLIPSIS) - end]}{ELLIPSIS}{shown[-end:]}"


def distinct(texts: Sequence[str], most: int = MOST_SHOWN) -> list[str]:
    """Each text `shortened`; texts that differ and would look alike get a digest of the whole at their end."""
    short = {text: shortened(text, most) for text in texts}
    alike: dict[str, int] = {}
    for shown in short.values():
        alike[looks(shown)] = alike.get(looks(shown), 0) + 1
    return [short[text] if alike[looks(short[text])] == 1 else f"{short[text]} #{digest(text)[:6]}" for text in texts]


def looks(text: str) -> str:
    """The text as a reader sees it: two texts look alike if this is equal, whatever their blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def digest(text: str) -> str:
    """A hash of any text in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def marked(text: str, most: int = MOST_SHOWN) -> str:
    """The `shortened` text as Markdown for one line, which shows it and does nothing else."""
    return escaped(shortened(text, most))


def escaped(text: str) -> str:
    """The whole text as Markdown that shows it and does nothing else."""
    return MARKS.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), visible(text))


def code(text: str, most: int = MOST_SHOWN) -> str:
    """The `shortened` text as code in a line of Markdown; empty if the text is blank."""
    shown = shortened(text, most)
    if not shown.strip():
        return ""
    ticks = "`" * (1 + longest_run(shown))
    blank = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{blank}{shown}{blank}{ticks}"


def fence(lines: Sequence[str], language: str) -> list[str]:
    """The lines as a block of code in Markdown, each `visible`; no line can end the block."""
    shown = [visible(line) for line in lines]
    ticks = "`" * max(3, 1 + max(map(longest_run, shown), default=0))
    return [f"{ticks}{language}", *shown, ticks]


def longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def shell_word(text: str) -> str:
    """The text as one word for a shell; `~/` at its beginning stays the user's home."""
    home = "~/" if text.startswith("~/") else ""
    return home + shlex.quote(text.removeprefix(home)) if text != home else text
