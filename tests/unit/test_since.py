"""Moments as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from carbon_magic.commands.since import moment

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("this platform's zone cannot be set")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-2")  # POSIX counts the other way
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        (" 4w ", NOW - timedelta(days=28)),
        ("0d", NOW),
        ("2026-11-01", datetime(2026, 10, 31, 22, tzinfo=timezone.utc)),
        ("2026-11-01T14:30", datetime(2026, 11, 1, 12, 30, tzinfo=timezone.utc)),
        ("2026-11-01 14:30:15", datetime(2026, 11, 1, 12, 30, 15, tzinfo=timezone.utc)),
        ("2026-11-01T14:30:15.250Z", datetime(2026, 11, 1, 14, 30, 15, 250_000, tzinfo=timezone.utc)),
        ("2026-11-01T14:30-05:00", datetime(2026, 11, 1, 19, 30, tzinfo=timezone.utc)),
    ],
)
def test_what_names_a_moment(text: str, expected: datetime) -> None:
    found = moment(text, NOW)
    assert found == expected
    assert found.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "d", "-7d", "7 d", "7y", "1.5h", "٧d", "999999w", "yesterday"),
        *("2026-13-01", "2026-11", "20261101", "1/2/26", "2026-11-01T25:00", "2026-11-01T14"),
        *("0000-01-01", "0001-01-01", "\x1b[2J" * 100),
    ],
)
def test_what_does_not_is_answered_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="Examples: 90m, 36h, 7d, 4w, 2026-11-01") as caught:
        moment(text, NOW)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 150
