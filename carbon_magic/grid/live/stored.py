"""The last value of each zone, kept in the folder of the records, so that a kernel that starts need not ask at once.

What stands there is treated like what comes from a network: small, of a known form, and checked. A file of another
user, or a link, is not read. Nothing but the value is kept: no token, no address, no notebook.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from carbon_magic.grid.live.provider import LiveError, Reading, checked, field, moment
from carbon_magic.ledger.home import home, make_home

FORM = 1
MOST_BYTES = 4096
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Kept(NamedTuple):
    """A value, and when it was asked for."""

    reading: Reading
    asked_at: datetime


def path_of(provider: str, zone: str, environ: Mapping[str, str]) -> Path | None:
    """The file of a zone; None where there is no folder for it, or the names are none for a file.

    A zone's name is not folded in case: a file system may do that, so what is read says whose it is.
    """
    if not _PLAIN.fullmatch(provider) or not _PLAIN.fullmatch(zone):
        return None
    try:
        return home(environ) / "live" / f"{provider}-{zone}.json"
    except OSError:
        return None


def read(provider: str, zone: str, environ: Mapping[str, str], now: datetime) -> Kept | None:
    """The value that was kept last; None where there is none that can be used."""
    path = path_of(provider, zone, environ)
    if path is None:
        return None
    try:
        data = json.loads(_bytes_of(path))
        if field(data, "form") != FORM or (field(data, "provider"), field(data, "zone")) != (provider, zone):
            return None
        value, basis, estimated = (field(data, name) for name in ("g_per_kwh", "basis", "estimated"))
        if not isinstance(value, (int, float)) or not isinstance(estimated, bool):
            return None
        if basis not in ("lifecycle", "direct"):
            return None
        begins, ends, asked_at = (moment(field(data, name)) for name in ("begins", "ends", "asked_at"))
        reading = Reading(value, begins, ends, "direct" if basis == "direct" else "lifecycle", estimated)
        return Kept(checked(reading, now), min(asked_at, now))
    except (OSError, ValueError, RecursionError, LiveError):
        return None  # absent, unreadable, or not what is written here: then it is asked for


def write(provider: str, zone: str, environ: Mapping[str, str], kept: Kept) -> None:
    """Keep a value. Where that cannot be done there is one question more, and nothing else."""
    path = path_of(provider, zone, environ)
    if path is None:
        return
    reading = kept.reading
    data = {
        "form": FORM,
        "provider": provider,
        "zone": zone,
        "g_per_kwh": reading.g_per_kwh,
        "begins": reading.begins.astimezone(timezone.utc).isoformat(),
        "ends": reading.ends.astimezone(timezone.utc).isoformat(),
        "basis": reading.basis,
        "estimated": reading.estimated,
        "asked_at": kept.asked_at.astimezone(timezone.utc).isoformat(),
    }
    with contextlib.suppress(OSError):
        make_home(path.parent.parent)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # A file that is made here is nobody else's to read, and takes the old one's place whole.
        handle, beside = tempfile.mkstemp(prefix=".live-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file)
            Path(beside).replace(path)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise


def _bytes_of(path: Path) -> bytes:
    """What stands in a plain file of this user's own.

    Raises:
        OSError: it cannot be read, or is something else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
            raise OSError("not a file of this user's own")
        if about.st_size > MOST_BYTES:
            raise OSError("larger than what is written here")
        return os.read(handle, MOST_BYTES)
    finally:
        os.close(handle)
