"""What the kernel tells beside each open file of a GPU: which client it is, and what that has used of the engines.

The keys are those of Linux's Documentation/gpu/drm-usage-stats: nanoseconds of an engine (i915, amdgpu), or its cycles
and those that passed meanwhile (xe).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_KEY = re.compile(rb"^drm-(total-cycles|cycles|engine-capacity|engine)-([a-z0-9_-]{1,32}):\s*([0-9]{1,20})\b", re.M)
_CLIENT = re.compile(rb"^drm-client-id:\s*([0-9]{1,20})\s*$", re.M)
_ZEROES_ARE_LEFT_OUT = re.compile(rb"^drm-driver:\s*amdgpu\s*$", re.M)


class Engine(NamedTuple):
    """What a client has used of one kind of engine since it was opened."""

    used: int
    """Nanoseconds, or cycles where `passed` is known."""
    passed: int | None
    """Cycles that passed on one of them."""
    capacity: int


class Told(NamedTuple):
    """What the kernel tells beside one open file."""

    client: int
    engines: dict[str, Engine]


def parsed(text: bytes | None) -> Told | None:
    """What stands in the kernel's file beside an open one; None where it tells no client or no engines."""
    found = _CLIENT.search(text or b"")
    if text is None or found is None:
        return None
    values: dict[tuple[bytes, bytes], int] = {(kind, name): int(value) for kind, name, value in _KEY.findall(text)}
    engines = {}
    for (kind, name), used in values.items():
        if kind == b"engine" or (kind == b"cycles" and (b"total-cycles", name) in values):
            capacity = max(1, values.get((b"engine-capacity", name), 1))
            passed = values[b"total-cycles", name] if kind == b"cycles" else None
            engines[name.decode()] = Engine(used, passed, capacity)
    if not engines and not _ZEROES_ARE_LEFT_OUT.search(text):
        return None
    return Told(int(found[1]), engines)
