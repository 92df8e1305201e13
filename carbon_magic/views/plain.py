"""Text that may be shown: what comes from a notebook or a file made harmless, and lines that keep their width.

Labels, region names and file contents are somebody else's. Before they reach a terminal or a page they lose escape
sequences, control characters and marks that turn the direction of writing, and are cut to a length. HTML escaping
comes on top, in `escape`, never instead.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from collections.abc import Iterable

from carbon_magic.quantity import Interval

TEXT_WIDTH = 79

COMMAND = "%carbon"
"""A sentence that says what to do ends with one."""

_READ_AT_MOST = 2000
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"
)
_MARKS_IN_A_ROW = 2
_ASCII = {
    "\u00a0": " ",
    "–": "-",
    "≈": "~",
    "×": "x",
    "µ": "u",
    "₂": "2",
    "█": "#",
    "▌": "#",
    "…": ".",
    "’": "'",
}


def clean(text: object, limit: int = 40) -> str:
    """One harmless line of at most `limit` terminal columns, cut with an ellipsis."""
    source = str(text)[:_READ_AT_MOST]
    kept: list[str] = []
    marks = 0
    for char in _ESCAPE_SEQUENCE.sub("", source):
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > _MARKS_IN_A_ROW or not kept:
                continue
        else:
            marks = 0
        if category in ("Cc", "Zl", "Zp", "Zs"):
            kept.append(" ")
        elif category in ("Cs", "Co", "Cn"):
            kept.append("\ufffd")
        elif category != "Cf":
            kept.append(char)
    return cut(" ".join("".join(kept).split()), limit)


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` terminal columns, an ellipsis where something is missing."""
    if columns(text) <= limit:
        return text
    taken = 0
    for index, char in enumerate(text):
        taken += _char_columns(char)
        if taken > limit - 1:
            return text[:index].rstrip() + "…"
    return text


def columns(text: str) -> int:
    """How many terminal columns the text takes: two for wide East Asian characters, none for combining marks."""
    return len(text) if text.isascii() else sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def pad(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to `width` columns, on its left where `right` is set."""
    spaces = " " * max(width - columns(text), 0)
    return spaces + text if right else text + spaces


def escape(text: str) -> str:
    """The text for HTML, in elements and in attributes' quotes.

    Dollar signs and backslashes stand in an element of their own, because JupyterLab sets `$…$` and `\\(…\\)` as
    mathematics in HTML outputs too; so this is for elements. Use `html.escape` in attributes.
    """
    return re.sub(r"[$\\]", lambda found: f"<span>{found.group()}</span>", html.escape(text))


def fill(pieces: Iterable[str], width: int, *, first: str = "", rest: str = "", gap: str = " ") -> list[str]:
    """Lines of at most `width` columns that hold the pieces in order. Only a piece wider than a line is broken."""
    lines: list[str] = []
    line, empty = first, True
    for whole in pieces:
        piece = whole
        if not empty and columns(line + gap + piece) <= width:
            line += gap + piece
            continue
        if not empty:
            lines.append(line)
            line = rest
        if line == first and first != rest and columns(line + piece) > width >= columns(rest + piece):
            lines.append(line.rstrip())
            line = rest
        while columns(line + piece) > width:
            room = max(width - columns(line), 1)
            lines.append(line + piece[: room // 2 or 1])
            piece, line = piece[room // 2 or 1 :], rest
        line, empty = line + piece, False
    if not empty or not lines:
        lines.append(line)
    return lines


def for_text(text: str) -> str:
    """Words written for the screen as plain text has them."""
    return text.replace("CO₂e", "CO2e").replace("’", "'").replace("g/kWh", "g\u00a0CO2e/kWh")


def paragraph(sentences: Iterable[str], width: int, indent: str = "  ") -> list[str]:
    """Sentences one after the other; one that ends in a command begins a line, and the command stays whole."""
    lines: list[str] = []
    flowing: list[str] = []
    for sentence in sentences:
        said, sign, command = for_text(sentence).partition(COMMAND)
        words = [word for word in said.split(" ") if word]
        if not sign:
            flowing += words
            continue
        if flowing:
            lines += fill(flowing, width, first=indent, rest=indent)
            flowing = []
        lines += fill([*words, sign + command], width, first=indent, rest=indent)
    return lines + fill(flowing, width, first=indent, rest=indent) if flowing else lines


def to_ascii(text: str) -> str:
    """The text for terminals that know ASCII only, as wide as before: letters without their accents, else `?`."""
    return text if text.isascii() else "".join(_ascii_char(char) for char in text)


def for_stream(text: str, stream: object) -> str:
    """The text as a stream can write it: as it is, or with what its encoding lacks spelled in ASCII."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return to_ascii(text)
    return text


def spell(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: what an encoding lacks is spelled in ASCII, so that no unit is lost.

    Raises:
        UnicodeError: it is no error of encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return to_ascii(error.object[error.start : error.end]), error.end


def _ascii_char(char: str) -> str:
    if char.isascii():
        return char
    if char in _ASCII:
        return _ASCII[char]
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode("ascii")
    width = _char_columns(char)
    return plain if plain and len(plain) == width else "?" * width


def interval(low: object, best: object, high: object) -> Interval | None:
    """Three fields of a record as an interval, or None where they hold none: a record may come from a file."""
    numbers = [number(value) for value in (low, best, high)]
    if numbers[0] is None or numbers[1] is None or numbers[2] is None:
        return None
    try:
        return Interval(numbers[0], numbers[1], numbers[2])
    except ValueError:
        return None


def number(value: object) -> float | None:
    """A finite number of 0 or more, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= sys.float_info.max:
        return None
    return float(value)
