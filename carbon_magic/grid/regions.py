"""How a region is found by what people type, and what a picker offers them.

What is typed is matched exactly or not at all: a name that fits two regions raises with both, a name that fits none
raises with the nearest, because a silently wrong grid is a wrong figure. Exactly means without case, accents and
punctuation, and by every name in use (`names.py`).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from carbon_magic.grid.names import ALIASES, folded, region_of_zone
from carbon_magic.grid.table import (
    DATA_VERSION,
    PROVIDERS,
    SOURCES,
    WORLD,
    Basis,
    DataFileError,
    Kind,
    Method,
    Region,
    UnknownRegion,
    all_regions,
    by_id,
    data_version,
    intensities_of_countries,
    problems,
    require,
    table,
)

__all__ = [
    "DATA_VERSION",
    "SOURCES",
    "WORLD",
    "Basis",
    "DataFileError",
    "Kind",
    "Method",
    "Region",
    "UnknownRegion",
    "all_regions",
    "by_id",
    "complete",
    "data_version",
    "intensities_of_countries",
    "nearest",
    "problems",
    "region",
    "require",
    "search",
]

_NEAREST = 5
_LONGEST_ASKED = 100
_CLOUD_WORDS = {"amazon": "aws", "google cloud": "gcp", "google": "gcp", "microsoft azure": "azure"}


class _Index(NamedTuple):
    exact: dict[str, str]
    """Case-folded id -> id."""
    loose: dict[str, list[str]]
    """Folded name, other name, ISO3 or cloud spelling, with and without its provider -> ids."""
    cities: dict[str, str]
    """Folded city of a cloud region, by its id."""


@cache
def _index() -> _Index:
    columns, rows, _, _ = table()
    kind, name, iso3, city = (columns.index(word) for word in ("kind", "name", "iso3", "city"))
    exact: dict[str, str] = {}
    loose: dict[str, list[str]] = {}
    cities: dict[str, str] = {}
    for region_id, row in rows.items():
        exact[region_id.casefold()] = region_id
        keys = {folded(row[name])}
        if row[kind] == "country":
            keys.add(row[iso3].casefold())
        elif row[kind] == "cloud":
            provider, _, short = region_id.partition(":")
            spelt = folded(short)
            keys |= {spelt, f"{provider} {spelt}"}
            cities[region_id] = folded(row[city])
        for key in keys:
            loose.setdefault(key, []).append(region_id)
    for key, region_id in ALIASES.items():
        if key not in loose and region_id in rows:
            loose[key] = [region_id]
    return _Index(exact, loose, cities)


def region(asked: str) -> Region:
    """The region that goes by `asked`: an id, an ISO3 code, a name, an old or other name (`Burma`, `UK`), a cloud's own
    spelling (`europe-west9`) or one of its availability zones (`us-east-1a`).

    Case, accents and punctuation make no difference. An id wins over a name.

    Raises:
        UnknownRegion: none does (the nearest are named) or several do (all are named).
    """
    if asked in table().rows:
        return by_id(asked)  # an id as it is written needs no index of names
    candidates = _candidates(asked)
    if len(candidates) == 1:
        return by_id(candidates[0])
    if candidates:
        raise UnknownRegion(f'"{_shown(asked.strip())}" is more than one region: {_listed(candidates)}.')
    raise UnknownRegion(_none_such(asked.strip()))


def _candidates(asked: str) -> list[str]:
    index = _index()
    short = asked.strip()
    if len(short) > _LONGEST_ASKED:
        return []
    found = index.exact.get(short.casefold())
    if found is not None:
        return [found]
    key = folded(short)
    if key in index.loose:
        # "Canada Central" is Azure's, to the letter; "Canada (Central)" is Amazon's.
        listed = index.loose[key]
        to_the_letter = [found for found in listed if by_id(found).name.casefold() == short.casefold()]
        return to_the_letter if len(to_the_letter) == 1 else listed
    zone = region_of_zone(short)
    if zone is not None and zone in index.exact:
        return [index.exact[zone]]
    for words, provider in _CLOUD_WORDS.items():
        if key.startswith(words + " "):
            return index.loose.get(provider + key[len(words) :], [])
    return []


def complete(prefix: str) -> list[str]:
    """The ids that begin with `prefix`, whatever its case: for tab completion."""
    start = prefix.casefold()
    return [region_id for key, region_id in _index().exact.items() if key.startswith(start)]


def search(query: str, limit: int | None = None) -> list[Region]:
    """The regions that `query` may mean, the likeliest first: for a picker and for lists. Everything for no query.

    By id, name, other names, ISO3 code, cloud spelling, provider and the cities of cloud regions. In order: what is the
    same, what begins so, what has a word that begins so, what holds it; at the same place countries come first. Empty
    where nothing holds it: `nearest` knows what is spelt alike.
    """
    key = folded(query[:_LONGEST_ASKED])
    if not key:
        # What is nothing but punctuation means nothing; nothing means everything.
        return [] if query.strip() else list(all_regions())[:limit]
    index = _index()
    ranks: dict[str, int] = {}

    def rank(region_id: str, text: str) -> None:
        found = _rank(text, key)
        if found is not None and found < ranks.get(region_id, 9):
            ranks[region_id] = found

    for short, region_id in index.exact.items():
        rank(region_id, folded(short))
    for text, ids in index.loose.items():
        for region_id in ids:
            rank(region_id, text)
    for region_id, city in index.cities.items():
        rank(region_id, city)
        rank(region_id, folded(PROVIDERS[region_id.partition(":")[0]]) + " " + city)
    order = {"world": 0, "country": 1, "own": 1, "subdivision": 2, "cloud": 3}
    found = [by_id(region_id) for region_id in ranks]
    found.sort(key=lambda row: (ranks[row.id], order[row.kind], folded(row.name), row.id))
    return found[:limit]


def _rank(text: str, key: str) -> int | None:
    if text == key:
        return 0
    if text.startswith(key):
        return 1
    # Two letters are in the middle of nearly everything.
    if f" {key}" in f" {text}":
        return 2
    return 3 if len(key) > 2 and key in text else None


def nearest(asked: str, count: int = _NEAREST) -> list[Region]:
    """The regions whose id or name looks most like `asked`, best first. May be empty."""
    from difflib import SequenceMatcher

    index = _index()
    key = asked.strip().casefold()[:_LONGEST_ASKED]
    if not key:
        return []
    matcher = SequenceMatcher(autojunk=False)
    scores: dict[str, float] = {}
    plain = folded(key)
    spellings = [(short, [found], key) for short, found in index.exact.items()]
    spellings += [(name, ids, plain) for name, ids in index.loose.items()]
    for written, ids, typed in spellings:
        if not typed:
            continue
        matcher.set_seqs(written, typed)
        if matcher.real_quick_ratio() < 0.5 or matcher.quick_ratio() < 0.5:
            continue
        # Of equally similar spellings the one that begins alike is meant more often.
        score = matcher.ratio() + 0.1 * (written[:1] == typed[:1]) + 0.2 * written.startswith(typed)
        if score >= 0.6:
            for region_id in ids:
                scores[region_id] = max(score, scores.get(region_id, 0.0))
    best = sorted(scores, key=lambda region_id: (-scores[region_id], region_id))[:count]
    return [by_id(region_id) for region_id in best]


def _listed(ids: list[str]) -> str:
    return ", ".join(f"{found} ({_placed(by_id(found))})" for found in ids)


def _shown(asked: str) -> str:
    """What was asked for as a message may repeat it: short, and nothing that a terminal would obey."""
    short = asked if len(asked) <= 40 else asked[:39] + "…"
    return "".join(char if char.isprintable() else "?" for char in short)


def _placed(row: Region) -> str:
    """A subdivision's name with its country's, because Georgia is both."""
    if row.kind == "subdivision" and row.parent is not None:
        return f"{row.name}, {by_id(row.parent).name}"
    return row.name


def _none_such(asked: str) -> str:
    shown = _shown(asked)
    ids = [found.id for found in nearest(asked)]
    if not ids:
        return f'No region "{shown}". Give a country (FR), a state (US-CA) or a cloud region (aws:eu-north-1).'
    return f'No region "{shown}". Nearest: {_listed(ids)}.'
