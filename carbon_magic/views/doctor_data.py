"""The doctor's findings as data: all of them as JSON, and a block for bug reports that names nobody.

The block is made of what we know to be harmless (versions, sensors, figures); sentences, which may hold what a system
call or a setting said, are taken along after everything that could name a user, a host, a place in the file system or
a secret has been taken out of them. The region is left out but for how it was found.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

from carbon_magic.power.candidate import Candidate
from carbon_magic.quantity import Interval
from carbon_magic.views.findings import Findings, Idle, figures_text, idle_text, ordered, overhead_text, state_of
from carbon_magic.views.plain import clean, for_text

_SECRET = re.compile(r"TOKEN|SECRET|PASS|KEY|AUTH|COOKIE|CREDENTIAL|SESSION|DSN|URL|URI|PROXY|HOST|USER|LOGNAME|HOME")
"""Names of variables whose values are in no report."""
_OURS = ("CARBON_MAGIC_", "ZEUSD_", "JUPYTERHUB_", "JPY_", "JUPYTER_")
_HOST_OF = re.compile(r"://(?:[^/?#]*@)?([^/?#:@]+)")
"""The host in an address, which a sentence may name alone."""
_EVERYBODY = frozenset(
    (
        *("root", "nobody", "jovyan", "user", "users", "localhost", "admin", "none"),
        *("true", "false", "on", "off", "yes", "no", "auto"),
    )
)
"""Words that name nobody, and may well stand in a sentence."""
_SHAPES = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.I), "<address>"),
    (re.compile(r"(?:<hidden>|[\w.+-])+@[\w-]+(?:\.[\w-]+)*"), "<address>"),
    (re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])"), "<address>"),
    (re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.I), "<address>"),
    (re.compile(r"(?:\b[A-Za-z]:|\\)\\[^\s\"'<>|]+"), "<path>"),
    (re.compile(r"(?:^|(?<=[\s\"'(=:,;\[<]))(?:~[\w.-]*)?/[^\s\"'<>|)\],;]+"), "<path>"),
    (re.compile(r"<hidden>[/\\][^\s\"'<>|)\],;]*"), "<path>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I), "<hidden>"),
    (re.compile(r"(?<!\w)(?=\w*\d)(?=\w*[A-Za-z])\w{20,}"), "<hidden>"),
)
"""What looks like an address, a path or a secret, whoever said it."""


def as_data(found: Findings) -> dict[str, Any]:
    """Everything, as an object for JSON: powers in watts, times in seconds, unknown is null."""
    place, overhead = found.place, found.overhead
    idle = {name: _idle(one) for name, one in found.idle.items()}
    return {
        "sensors": [_sensor(candidate, idle.get(candidate.name)) for candidate in ordered(found)],
        "idle": idle,
        "rest": None if found.rest is None else {**found.rest._asdict(), "rest_w": found.rest.rest_w},
        "scope": {"scope": found.scope, "reason": found.scope_reason, "notes": list(found.share_notes)},
        "region": {
            "region": place.region,
            "name": place.name,
            "source": place.source,
            "found": place.found,
            **_range("intensity_g_per_kwh", place.intensity_g_per_kwh),
            "intensity_source": place.intensity_source,
            "intensity_year": place.intensity_year,
            "pue": place.pue,
            "note": place.note,
            "data_version": place.data_version,
        },
        "tracking": found.tracking,
        "ledger": {"records": found.records},
        "problems": list(found.problems),
        "overhead": None if overhead is None else overhead._asdict(),
        "machine": dict(found.machine),
        "versions": dict(found.versions),
    }


def in_form(found: Findings, form: str, environ: Mapping[str, str] = os.environ) -> str:
    """The findings as `json` or as a `report`, ending in a line break."""
    if form == "report":
        return report(found, environ)
    return json.dumps(as_data(found), indent=2, allow_nan=False) + "\n"


def _sensor(candidate: Candidate, idle: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "domain": candidate.domain,
        "provenance": candidate.provenance,
        "used": candidate.used,
        "compared": candidate.watched and not candidate.used,
        "reason": candidate.reason,
        "fix": candidate.fix,
        "tdp_w": candidate.figures.get("tdp_w"),
        "figures": dict(candidate.figures),
        "idle": idle,
    }


def _idle(idle: Idle) -> dict[str, Any]:
    return {**_range("power_w", idle.power_w), "origin": idle.origin, "quiet": idle.quiet}


def _range(name: str, value: Interval) -> dict[str, float]:
    return {f"{name}_low": value.low, name: value.best, f"{name}_high": value.high}


def report(found: Findings, environ: Mapping[str, str] = os.environ) -> str:
    """A block for a bug report, in Markdown, without user names, host names, paths and tokens."""
    hide = _hiding(environ)
    lines = [f"{name} {hide(version)}" for name, version in found.versions.items()]
    lines += [f"{name}: {hide(str(value))}" if name == "cpu" else f"{name}: {value}" for name, value in _facts(found)]
    lines.append("")
    for candidate in ordered(found):
        lines.append(f"{candidate.domain} {hide(candidate.name)}: {candidate.provenance}, {state_of(candidate)}")
        idle = found.idle.get(candidate.name)
        told = [hide(candidate.reason), idle_text(idle) if idle else "", figures_text(candidate, hide)]
        lines += [f"    {sentence}" for sentence in told if sentence]
    lines += ["", f"scope {found.scope}: {hide(found.scope_reason)}"]
    lines += [f"    {hide(note)}" for note in found.share_notes]
    lines.append(f"region: left out; its source is {found.place.source}, data {found.place.data_version}")
    lines.append(f"records: {hide(found.records)}")
    lines += [f"problem: {hide(problem)}" for problem in found.problems] or ["problems: none"]
    lines.append(f"own overhead: {overhead_text(found.overhead)}")
    # Nothing in it may end the block early.
    return for_text("\n".join(["```text", *(line.replace("`", "'") for line in lines), "```"])) + "\n"


def _facts(found: Findings) -> list[tuple[str, object]]:
    return [(name, "unknown" if value is None else value) for name, value in found.machine.items()]


def _hiding(environ: Mapping[str, str]) -> Callable[[str], str]:
    """What takes everything that names somebody out of a line."""
    said: set[str] = set()
    for name, text in environ.items():
        if _SECRET.search(name.upper()) or name.upper().startswith(_OURS):
            # A host's name is told with its port and without, and with its domain and without; a zone without provider.
            value = text.strip()
            said |= {value, value.rpartition(":")[0], value.partition(".")[0], value.partition(":")[2]}
            said |= set(_HOST_OF.findall(value))
    said |= _names()
    # The longest first: what holds a name goes before the name.
    words = sorted({word for word in said if _names_somebody(word)}, key=len, reverse=True)
    known = re.compile("|".join(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])" for word in words), re.I)

    def hide(line: str) -> str:
        # Marks and escape sequences first: one in the middle of a name would hide it from us.
        text = clean(line, 2000)
        if words:
            text = known.sub("<hidden>", text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return clean(text, 400)

    return hide


def _names_somebody(word: str) -> bool:
    return len(word) >= 2 and word.lower() not in _EVERYBODY and not re.fullmatch(r"[\d.]+|[\W_]{,3}", word)


def _names() -> set[str]:
    """The names of this user and this host."""
    found = {os.path.expanduser("~"), os.path.basename(os.path.expanduser("~"))}  # noqa: PTH111, PTH119 (never raises)
    host = socket.gethostname()
    found |= {host, host.partition(".")[0]}
    if hasattr(os, "getuid"):
        import pwd  # POSIX only

        try:
            entry = pwd.getpwuid(os.getuid())
            found |= {entry.pw_name, entry.pw_dir, *re.split(r"[,\s]+", entry.pw_gecos)}
        except KeyError:  # a container's user without an entry has no name
            pass
    return found
