"""What is taken for a record or a session, wherever it comes from.

Files are hostile: a notebook can write to its own sink, anybody to a database that is merged, and a killed kernel
leaves half a line. So a value is taken in only where every field has its type, text is bounded, times are times, and
numbers are finite, not negative and in order. Anything else is no record, and whoever reads counts what it left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any, TypeGuard, get_args

from carbon_magic.ledger.record import BOUNDARY, CellRecord, Status
from carbon_magic.ledger.row import Ending, Kind, SessionRow
from carbon_magic.power.sensor import Provenance

MAX_TEXT = 10_000
"""Characters of one text."""
LARGEST = 1e18
"""No figure of a cell is larger in any unit used here: in joules it is as much as a country uses in a year."""
MAX_SENSORS = 1000

_RECORD_ORDERS = (
    ("energy_j_low", "energy_j", "energy_j_high"),
    ("machine_energy_j_low", "machine_energy_j", "machine_energy_j_high"),
    ("emissions_g_low", "emissions_g", "emissions_g_high"),
    ("intensity_low", "intensity_g_per_kwh", "intensity_high"),
)
_SESSION_ORDERS = (_RECORD_ORDERS[0], _RECORD_ORDERS[2])


def checked_record(data: object) -> CellRecord | None:
    """The record in a decoded JSON object, or None unless every field has its type and the figures are in order."""
    values = _checked(data, _RECORD, {"below_resolution": False}, _RECORD_ORDERS)
    if values is None or not _is_shared(values):
        return None
    return CellRecord(**{**values, "sensors": tuple(values["sensors"])})


def _is_shared(values: Mapping[str, Any]) -> bool:
    """Whether the marginal part is no more than the energy, and that no more than the machine's, but for rounding."""
    parts = [values[name] for name in ("marginal_energy_j", "energy_j", "machine_energy_j") if values[name] is not None]
    return all(less <= more * (1 + 1e-9) + 1e-9 for less, more in itertools.pairwise(parts))


def checked_session(data: object) -> SessionRow | None:
    """The session in a decoded object, or None unless every field has its type and the figures are in order."""
    values = _checked(data, _SESSION, {}, _SESSION_ORDERS)
    return None if values is None else SessionRow(**values)


def utc_text(moment: datetime) -> str:
    """A moment as it stands in records: UTC, ISO 8601, milliseconds. A time without zone is taken as local."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def is_time(value: object) -> TypeGuard[str]:
    """Whether this is a moment with its zone, in ISO 8601."""
    if not isinstance(value, str) or len(value) > 40:
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_count(value: object) -> TypeGuard[int]:
    """Whether this is a whole number of 0 or more that JSON can hold exactly."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a finite number of 0 or more that a figure can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= LARGEST


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _are_sensors(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) <= MAX_SENSORS and all(map(_is_text, value))


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _one_of(known: tuple[str, ...]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in known


_CHECKS: dict[str, Callable[[object], bool]] = {
    "str": _is_text,
    "bool": _is_flag,
    "int": is_count,
    "float": is_number,
    "Status": _one_of(get_args(Status)),
    "Provenance": _one_of(get_args(Provenance)),
    "Kind": _one_of(get_args(Kind)),
    "Ending": _one_of(get_args(Ending)),
    "tuple[str, ...]": _are_sensors,
}
"""By the type that a field is declared with."""

_Rules = tuple[tuple[str, Callable[[object], bool]], ...]


def _rules(page: type[CellRecord] | type[SessionRow], **others: Callable[[object], bool]) -> _Rules:
    """What each field of a page must be: by its declared type, or as said."""
    found = []
    for field in fields(page):
        declared = str(field.type)
        check = _CHECKS[declared.removesuffix(" | None")]
        check = others.get(field.name, check)
        found.append((field.name, _or_none(check) if declared.endswith(" | None") else check))
    return tuple(found)


_RECORD = _rules(CellRecord, started_at=is_time, boundary=_one_of((BOUNDARY,)))
_SESSION = _rules(SessionRow, started_at=is_time, heartbeat_at=is_time, ended_at=is_time)


def _checked(
    data: object, rules: _Rules, defaults: Mapping[str, Any], orders: Sequence[tuple[str, str, str]]
) -> dict[str, Any] | None:
    """The fields of a page, each as its rule wants it, or None. Other keys are a later version's, and left aside."""
    if not isinstance(data, dict):
        return None
    values = {}
    for name, check in rules:
        value = values[name] = data.get(name, defaults.get(name))
        if not check(value) or (value is None and name not in data):
            return None
    for names in orders:
        known = [value for name in names if (value := values[name]) is not None]
        if known != sorted(known):
            return None
    return values
