"""Moments as people type them: a length of time back from now, or a date or time of ISO 8601.

Without a zone it is the time on this machine's clock, as on the wall. What is no such thing raises with examples,
because a misread moment would silently show or delete the wrong records.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_BACK = re.compile(r"([0-9]{1,6})([mhdw])")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3}([0-9]{3})?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
EXAMPLES = "90m, 36h, 7d, 4w, 2026-11-01, 2026-11-01T14:30"


def moment(text: str, now: datetime | None = None) -> datetime:
    """The moment that `text` names, in UTC.

    Args:
        text: `90m`, `36h`, `7d` or `4w` before now; or a date (its first moment) or time, local unless it has a zone.
        now: what lengths of time count from; the present where not said.

    Raises:
        ValueError: it names none; the message has examples.
    """
    asked = text.strip()
    try:
        back = _BACK.fullmatch(asked)
        if back is not None:
            return (now or datetime.now(timezone.utc)) - int(back[1]) * _UNITS[back[2]]
        if _ISO.fullmatch(asked):
            return datetime.fromisoformat(asked.replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        # A thirteenth month, a time before the calendar or one that the platform's clock does not reach.
        pass
    shown = "".join(char if char.isprintable() else "?" for char in asked[:40])
    raise ValueError(f"{shown!r} names no moment. Examples: {EXAMPLES}")
