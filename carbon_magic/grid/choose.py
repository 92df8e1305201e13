"""Which grid it is: what people said, the strongest first, else where the machine was found to be, else unknown.

A magic's line is stronger than the settings, these are stronger than the environment. Each may name a grid, a PUE and a
note, and each of the three is taken from the strongest that has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from carbon_magic.grid.intensity import place
from carbon_magic.grid.locate import Found, locate, provider_shown
from carbon_magic.grid.own import OWN, OwnFigureError, Said, checked_text
from carbon_magic.grid.table import PROVIDERS, UnknownRegion
from carbon_magic.snapshot import Place

METADATA = "CARBON_MAGIC_CLOUD_METADATA"
"""1 turns the cloud's metadata service on."""
METADATA_ADDRESS = "CARBON_MAGIC_CLOUD_METADATA_ADDRESS"
"""Where it is asked, as host:port, if not at its usual address."""

VARIABLES = (
    "CARBON_MAGIC_REGION",
    "CARBON_MAGIC_INTENSITY",
    "CARBON_MAGIC_INTENSITY_LOW",
    "CARBON_MAGIC_INTENSITY_HIGH",
    "CARBON_MAGIC_INTENSITY_NAME",
    "CARBON_MAGIC_MIX",
    "CARBON_MAGIC_PUE",
    "CARBON_MAGIC_NOTE",
)
"""Of the environment: each says what the setting of the same name does, `CARBON_MAGIC_NOTE` what `region_note` does."""


def said_by(environ: Mapping[str, str]) -> Said:
    """What the environment says.

    Raises:
        ValueError: a number is none.
    """
    texts = [environ.get(name, "").strip() for name in VARIABLES]
    region, best, low, high, name, mix, pue, note = (text or None for text in texts)
    return Said(
        region=region,
        intensity_g_per_kwh=_number("CARBON_MAGIC_INTENSITY", best),
        intensity_low=_number("CARBON_MAGIC_INTENSITY_LOW", low),
        intensity_high=_number("CARBON_MAGIC_INTENSITY_HIGH", high),
        intensity_name=name,
        mix=mix,
        pue=_number("CARBON_MAGIC_PUE", pue),
        note=note,
    )


def _number(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OwnFigureError(f'{name} is a number, not "{text[:40]}"')
    return value


def choose(said: Sequence[tuple[str, Said]], whereabouts: Whereabouts) -> Place:
    """The grid to convert by.

    Args:
        said: where something was said (`user`, `config`, `environment`) and what, the strongest first.
        whereabouts: where the machine is; looked for only where nobody named a grid.

    Raises:
        UnknownRegion: there is no such region.
        ValueError: an own figure, a mix, the PUE or the note cannot be.
    """
    pue = None
    for source, one in said:
        if one.pue is not None:
            pue = _placed(source, Said(pue=one.pue), one.pue).pue
            break
    note = next((one.note for _, one in said if one.note is not None), "")
    for source, one in said:
        if one.names_a_grid:
            chosen = _placed(source, one, pue)
            if chosen.region == OWN and source == "environment":
                chosen = chosen._replace(found="from the environment")
            break
        if one.intensity_low is not None or one.intensity_high is not None:
            _placed(source, one, pue)  # raises: a range of nothing
    else:
        found = whereabouts.found
        chosen = place(found.region, found.source, pue)._replace(found=found.words)
    return chosen._replace(note=checked_text("the note", note)) if note else chosen


def choose_by(environ: Mapping[str, str], whereabouts: Whereabouts) -> tuple[Place, list[str]]:
    """The grid by what the environment says, as far as that can be, and in words what of it cannot."""
    left = {name: environ[name] for name in VARIABLES if name in environ}
    problems: list[str] = []
    while True:
        try:
            return choose([("environment", said_by(left))], whereabouts), problems
        except ValueError as error:
            # The longest name first: INTENSITY_LOW is not INTENSITY.
            named = (name for name in sorted(left, key=len, reverse=True) if str(error).startswith(name))
            name = next(named, "CARBON_MAGIC_NOTE")
            problems.append(f"{error}" if str(error).startswith(name) else f"{name}: {error}")
            if name not in left:
                raise
            # Of a figure that cannot be, the bounds and the name say nothing either.
            left = {other: text for other, text in left.items() if not other.startswith(name)}


def _placed(source: str, one: Said, pue: float | None) -> Place:
    """What was said, as a place; an error names the variable, which nobody sees who looks at a notebook."""
    try:
        return one.place(source, pue)
    except ValueError as error:
        if source != "environment":
            raise
        named = {"INTENSITY": one.intensity_g_per_kwh, "MIX": one.mix, "REGION": one.region, "PUE": one.pue}
        name = next((name for name, value in named.items() if value is not None), "INTENSITY_LOW")
        kind = UnknownRegion if isinstance(error, UnknownRegion) else OwnFigureError
        raise kind(f"CARBON_MAGIC_{name}: {error}") from None


class Whereabouts:
    """Where this machine is, looked for once, when somebody asks.

    Args:
        root: where the machine's files are.
        environ: the process's environment.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._found: Found | None = None
        self._asked = False

    @property
    def found(self) -> Found:
        """What is known by now. The first time takes a few reads."""
        if self._found is None:
            self._found = locate(self._root, self._environ)
        return self._found

    def ask_cloud(self, turned_on: bool, then: Callable[[], None]) -> None:
        """Ask the cloud's metadata service, in the background and once, where people turned that on by the setting or
        by `CARBON_MAGIC_CLOUD_METADATA`, and cloud-init has not told the same. `then` is called where it answered."""
        if self._asked or not (turned_on or switched_on(self._environ)) or self.found.source == "cloud-init":
            return
        self._asked = True
        from carbon_magic.grid import metadata  # HTTP is loaded by those alone who turned it on

        shown = provider_shown(self._root, self._environ)
        address = self._environ.get(METADATA_ADDRESS, "").strip() or metadata.ADDRESS

        def found(answer: Found) -> None:
            self._found = answer
            then()

        metadata.ask_in_background(found, [shown[0]] if shown else tuple(PROVIDERS), address)


def switched_on(environ: Mapping[str, str]) -> bool:
    """Whether the environment turns the metadata service on."""
    return environ.get(METADATA, "").strip().lower() in ("1", "true", "yes", "on")
