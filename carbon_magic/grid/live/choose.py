"""Which provider is meant: the two of this package, those that others have installed, and what users type.

The setting is a provider's name, and with a colon a zone of it: `electricitymaps`, `electricitymaps:DK-DK1`. Naming
looks at the names alone; the code of another package is imported when it is to be asked, in the thread that asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from carbon_magic.grid.live.provider import GROUP, LiveError, Provider

BUILT_IN = ("electricitymaps", "carbonintensity")
OFF = ("", "off", "none", "0", "no", "false")
_LONGEST = 100


class UnknownProvider(ValueError):  # noqa: N818 - what is wrong with the value, not a state of the program
    """No provider goes by that name, or it has no such zone. The message names the nearest."""


class Choice(NamedTuple):
    """What was chosen."""

    name: str
    zone: str | None = None
    """A zone that the user has named; else it is found by the region."""

    def __str__(self) -> str:
        return self.name if self.zone is None else f"{self.name}:{self.zone}"


def choice(asked: str) -> Choice | None:
    """What a setting means; None where it switches off.

    Raises:
        UnknownProvider: there is no such provider (the nearest are named), or it can have no such zone.
    """
    name, colon, zone = asked.strip()[:_LONGEST].partition(":")
    name, zone = name.strip().casefold(), zone.strip()
    if not colon and name in OFF:
        return None
    if name not in names():
        raise UnknownProvider(_no_such(name))
    if not colon:
        return Choice(name)
    if name in BUILT_IN:
        try:
            zone = built_in(name, {}).check_zone(zone)
        except ValueError as error:
            raise UnknownProvider(str(error)) from None
    if not zone or not zone.isprintable():
        raise UnknownProvider(f"after {name}: comes the name of a zone")
    return Choice(name, zone)


def names() -> list[str]:
    """The names of all providers that are installed."""
    return [*BUILT_IN, *(name for name in _installed() if name not in BUILT_IN)]


def built_in(name: str, environ: Mapping[str, str]) -> Provider:
    """One of this package's own.

    Raises:
        ValueError: the environment gives it an address that is none.
    """
    if name == "electricitymaps":
        from carbon_magic.grid.live.electricitymaps import ElectricityMaps

        return ElectricityMaps(environ)
    from carbon_magic.grid.live.carbonintensity import CarbonIntensity

    return CarbonIntensity(environ)


def load(chosen: Choice, environ: Mapping[str, str]) -> Provider:
    """The provider.

    Raises:
        LiveError: it cannot be loaded, or is not one.
    """
    if chosen.name in BUILT_IN:
        try:
            return built_in(chosen.name, environ)
        except ValueError as error:
            raise LiveError(f"cannot be asked: {error}", refused=True) from None
    entry = _installed().get(chosen.name)
    if entry is None:
        raise LiveError("is not installed any more", refused=True)
    try:
        found = entry.load()()
    except Exception as error:  # somebody else's code, which may raise anything
        raise LiveError(f"cannot be loaded ({type(error).__name__})", refused=True) from None
    missing = [name for name in ("name", "title", "sends", "zone", "check_zone", "latest") if not hasattr(found, name)]
    if missing:
        raise LiveError(f"is no provider: it lacks {', '.join(missing)}", refused=True)
    return cast(Provider, found)


def _installed() -> dict[str, Any]:
    """The entry points of other packages, by name; a package that cannot be read is as good as none."""
    from importlib.metadata import entry_points

    return {entry.name.casefold(): entry for entry in entry_points(group=GROUP)}


def _no_such(name: str) -> str:
    from difflib import get_close_matches

    known = names()
    near = get_close_matches(name, known, n=2, cutoff=0.4)
    shown = "".join(char if char.isprintable() else "?" for char in name[:40])
    return f'No provider of live intensity "{shown}". Nearest: {", ".join(near or known)}'
