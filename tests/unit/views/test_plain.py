"""Text from elsewhere made harmless, and lines that keep their width."""

from __future__ import annotations

import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon_magic.quantity import Interval
from carbon_magic.views import plain

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)


@given(ANY_TEXT, st.integers(1, 80))
def test_cleaned_text_is_one_short_line_without_controls(text: str, limit: int) -> None:
    cleaned = plain.clean(text, limit)
    assert plain.columns(cleaned) <= limit
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert cleaned == cleaned.strip()
    cleaned.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;evil title\x07safe", "safe"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("one\r\ntwo\tthree", "one two three"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2066b\u200bc\ufeff", "abc"),
        ("bell\x07\x08\x00", "bell"),
        ("\ud800", "\ufffd"),
        ("e\u0301" + "\u0301" * 500, "e\u0301\u0301"),
        ("\u0301x", "x"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert plain.clean(text) == cleaned


def test_what_is_cut_says_so() -> None:
    assert plain.clean("z" * 10_000, 10) == "z" * 9 + "…"
    assert plain.clean("漢字漢字漢字", 6) == "漢字…"
    assert plain.clean("exactly 10", 10) == "exactly 10"


def test_cleaning_megabytes_is_bounded() -> None:
    assert plain.clean("\x1b[" + "1" * 5_000_000) == plain.clean("\x1b[" + "1" * 5_000)


@given(ANY_TEXT)
def test_escaped_text_holds_no_markup_and_no_mathematics(text: str) -> None:
    escaped = plain.escape(text)
    without_own = re.sub(r"<span>[$\\]</span>", "", escaped)
    assert not re.search(r"[<>\"'$\\]", without_own)


@given(st.lists(st.text("abc 漢é", min_size=1, max_size=40), max_size=12), st.integers(20, 79))
def test_filled_lines_keep_their_width_and_lose_nothing(pieces: list[str], width: int) -> None:
    lines = plain.fill(pieces, width, first="label: ", rest="  ")
    assert all(plain.columns(line) <= width for line in lines)
    joined = re.sub(r"\s", "", "".join(lines))
    assert joined == "label:" + re.sub(r"\s", "", "".join(pieces))


def test_a_piece_that_fits_a_line_of_its_own_is_not_broken() -> None:
    assert plain.fill(["a b", "c d e f"], 9, first="x" * 8, rest=" ") == ["xxxxxxxx", " a b", " c d e f"]


def test_a_command_stays_whole_and_begins_no_sentence_before_it() -> None:
    lines = plain.paragraph(["One.", "Set it: %carbon region FR", "Two."], 24)
    assert lines == ["  One.", "  Set it:", "  %carbon region FR", "  Two."]


@given(ANY_TEXT)
def test_ascii_text_is_as_wide_as_before(text: str) -> None:
    cleaned = plain.clean(text, 79)
    assert plain.to_ascii(cleaned).isascii()
    assert len(plain.to_ascii(cleaned)) == plain.columns(cleaned)


def test_ascii_keeps_what_it_can() -> None:
    assert plain.to_ascii("≈ 0.3 µWh (0.1–0.9) ██▌ Montréal 0.68×") == "~ 0.3 uWh (0.1-0.9) ### Montreal 0.68x"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0, "1", True, 10**400, [1.0]])
def test_what_is_no_number_is_unknown(value: object) -> None:
    assert plain.number(value) is None
    assert plain.interval(0.0, value, 2.0) is None


def test_three_numbers_in_order_are_an_interval() -> None:
    assert plain.interval(1, 2, 3) == Interval(1.0, 2.0, 3.0)
    assert plain.interval(3, 2, 1) is None
