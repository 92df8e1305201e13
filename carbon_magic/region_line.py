"""What may stand behind `%carbon region`: a region, an own figure, a mix, a PUE, a note."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

from carbon_magic.grid.own import OwnFigureError, Said, checked_text
from carbon_magic.grid.table import require

OPTIONS = ("--intensity", "--low", "--high", "--mix", "--pue", "--note")
AUTO = "auto"
"""Takes back what was said by magic."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OwnFigureError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="%carbon region", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--intensity", type=_number)
    parser.add_argument("--low", type=_number)
    parser.add_argument("--high", type=_number)
    parser.add_argument("--mix")
    parser.add_argument("--pue", type=_number)
    parser.add_argument("--note")
    return parser


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"takes a number, not {text[:40]!r}")
    return value


def parse_region_line(words: Sequence[str]) -> Said | None:
    """What the words after `%carbon region` say; None for `auto`.

    Raises:
        ValueError: an option does not exist (the nearest are named), misses its value, or does not go with another.
    """
    unknown = next((word for word in words if word.startswith("-") and word.partition("=")[0] not in OPTIONS), None)
    if unknown is not None and not _is_number(unknown):
        from difflib import get_close_matches

        near = get_close_matches(unknown.partition("=")[0], OPTIONS, n=2, cutoff=0.4)
        raise OwnFigureError(f"there is no option {unknown!r}. Nearest: {', '.join(near or OPTIONS)}")
    parsed = _parser().parse_intermixed_args(list(words))
    text = " ".join(parsed.words)
    if text == AUTO and len(words) == 1:
        return None
    if text == AUTO and parsed.intensity is None:
        raise OwnFigureError("auto takes back all that was said and stands alone")
    if parsed.intensity is not None and parsed.mix is not None:
        raise OwnFigureError("it takes --intensity or --mix, not both")
    if parsed.intensity is None and (parsed.low is not None or parsed.high is not None):
        raise OwnFigureError("--low and --high are of --intensity, which is missing")
    if parsed.mix is not None and text:
        raise OwnFigureError(f"it takes a region or --mix, not both: {text[:60]!r}")
    require()
    return Said(
        region=(text or None) if parsed.intensity is None else None,
        intensity_g_per_kwh=parsed.intensity,
        intensity_low=parsed.low,
        intensity_high=parsed.high,
        intensity_name=text or None if parsed.intensity is not None else None,
        mix=parsed.mix,
        pue=parsed.pue,
        note=None if parsed.note is None else checked_text("the note", parsed.note),
    )


def _is_number(word: str) -> bool:
    """A negative number is the value of an option, which says that it is none."""
    try:
        float(word)
    except ValueError:
        return False
    return True
