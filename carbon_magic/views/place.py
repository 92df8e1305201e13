"""The grid in use, in a sentence or two: `%carbon region`."""

from __future__ import annotations

from carbon_magic.snapshot import Place
from carbon_magic.views.parts import SET_REGION, note_sentence, sentence_of
from carbon_magic.views.plain import TEXT_WIDTH, paragraph


def place_text(place: Place, width: int = TEXT_WIDTH) -> str:
    """Name, intensity with its source and year, and how the place was found; what to do where it is unknown."""
    said = [_sentence(place)]
    if place.source == "timezone":
        said.append(f"If it is right or not, say where you are: {SET_REGION}")
    noted = note_sentence(place.note)
    return "\n".join(paragraph([*said, *([noted] if noted else [])], width, indent=""))


def _sentence(place: Place) -> str:
    return sentence_of(place)
