"""How names of regions are written: without case, accents and punctuation, and by their other names.

Only what is one region beyond doubt stands here: an old name of a country, one in use beside the table's, one in its
own language. What could be two (Congo, Korea, Guinea) is left to the nearest matches.
"""

from __future__ import annotations

import re
import string
import unicodedata

ALIASES = {
    "aotearoa": "NZ",
    "bharat": "IN",
    "bolivarian republic of venezuela": "VE",
    "bosnia": "BA",
    "brasil": "BR",
    "britain": "GB",
    "brunei darussalam": "BN",
    "burma": "MM",
    "cabo verde": "CV",
    "ceylon": "LK",
    "china mainland": "CN",
    "congo brazzaville": "CG",
    "congo kinshasa": "CD",
    "czech republic": "CZ",
    "democratic republic of the congo": "CD",
    "deutschland": "DE",
    "dprk": "KP",
    "dr congo": "CD",
    "drc": "CD",
    "eire": "IE",
    "england": "GB",
    "espana": "ES",
    "falklands": "FK",
    "faroes": "FO",
    "french republic": "FR",
    "great britain": "GB",
    "greater china": "CN",
    "hellas": "GR",
    "holland": "NL",
    "hong kong sar": "HK",
    "islamic republic of iran": "IR",
    "italia": "IT",
    "ivory coast": "CI",
    "kyrgyz republic": "KG",
    "lao pdr": "LA",
    "macau": "MO",
    "macedonia": "MK",
    "malvinas": "FK",
    "nippon": "JP",
    "osterreich": "AT",
    "palestinian territories": "PS",
    "peoples republic of china": "CN",
    "persia": "IR",
    "polska": "PL",
    "prc": "CN",
    "republic of china": "TW",
    "republic of ireland": "IE",
    "republic of korea": "KR",
    "republic of the congo": "CG",
    "roc": "TW",
    "russian federation": "RU",
    "schweiz": "CH",
    "scotland": "GB",
    "siam": "TH",
    "slovak republic": "SK",
    "state of palestine": "PS",
    "suisse": "CH",
    "suomi": "FI",
    "sverige": "SE",
    "svizzera": "CH",
    "swaziland": "SZ",
    "syrian arab republic": "SY",
    "the bahamas": "BS",
    "the gambia": "GM",
    "the netherlands": "NL",
    "timor leste": "TL",
    "turkiye": "TR",
    "u k": "GB",
    "u s": "US",
    "u s a": "US",
    "uae": "AE",
    "uk": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "united republic of tanzania": "TZ",
    "united states of america": "US",
    "upper volta": "BF",
    "us virgin islands": "VI",
    "viet nam": "VN",
    "wales": "GB",
    "washington dc": "US-DC",
    "zaire": "CD",
}
"""Folded name -> id."""

_DROPPED = dict.fromkeys(map(ord, "'’`´."), None)
_BETWEEN = {ord(char): " " for char in string.punctuation} | {ord("&"): " and "} | _DROPPED
_NO_WORD = re.compile(r"[^\w ]+")


def folded(name: str) -> str:
    """A name as it is compared: `Côte d’Ivoire` and `cote divoire` are one. May be empty."""
    text = name.translate(_BETWEEN)
    if not text.isascii():
        # ø and ł have no accent that could be taken off; nobody's keyboard agrees on them.
        text = unicodedata.normalize("NFKD", text).translate(_PLAIN)
        text = _NO_WORD.sub(" ", "".join(char for char in text if not unicodedata.combining(char)))
    return " ".join(text.casefold().split())


_PLAIN = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ß": "ss", "æ": "ae", "Æ": "Ae"})

_ZONES = (
    # AWS: us-east-1a. Google: europe-west9-a. Azure's zones are numbers and are not written behind a region.
    (re.compile(r"(?:aws:)?([a-z]{2}(?:-[a-z]+){1,3}-\d{1,2})[a-f]"), "aws:"),
    (re.compile(r"(?:gcp:)?([a-z]+-[a-z]+\d{1,2})-[a-f]"), "gcp:"),
)


def region_of_zone(asked: str) -> str | None:
    """The id that the region of a cloud's availability zone has, where `asked` is written like one, else None."""
    text = asked.strip().casefold()[:60]
    for pattern, provider in _ZONES:
        found = pattern.fullmatch(text)
        if found is not None:
            return provider + found[1]
    return None
