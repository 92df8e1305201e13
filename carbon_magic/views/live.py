"""Live intensity in words: `%carbon live`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from carbon_magic import written
from carbon_magic.grid.hourly import words
from carbon_magic.grid.live.ahead import cleanest_ahead
from carbon_magic.grid.live.zone import Quote, Zone
from carbon_magic.live import LiveState
from carbon_magic.views.parts import sentence_of
from carbon_magic.views.plain import TEXT_WIDTH, clean, paragraph

OFF = (
    "Live intensity is off: energy is converted by annual figures, and nobody is asked.",
    "To ask Electricity Maps, with a token of yours: %carbon live electricitymaps",
    "To ask the operator of the British grid: %carbon live carbonintensity",
)
_BY = {"user": "set by you", "config": "from the configuration", "environment": "from CARBON_MAGIC_LIVE"}
RUN_S = 3600.0
"""The run that another time is looked for."""


def live_text(state: LiveState) -> str:
    """Whose values are in force, the present one with its range and time, the last error, and what is sent."""
    live = state.live
    if live is None:
        return _paragraphs(OFF)
    zone, why = live.quote(state.base)
    by = _BY.get(state.source, "set by you")
    said = [f"Live intensity by {clean(live.title, 60)}, {by}."]
    said.append(why or _value(zone))
    place = state.place
    sentence = sentence_of(place._replace(found=""))
    said.append(f"Energy is converted by: {sentence}")
    said += [f"Last error: {clean(problem.partition(': ')[2], 500)}." for problem in live.problems()]
    if zone is not None:
        said += _ahead(zone, clean(live.title, 60))
    if live.provider is not None:
        sent = clean(live.provider.sends, 200)
        said.append(f"Sent, while a cell runs and the last value is over: {sent}.")
    return _paragraphs(said)


def _value(zone: Zone | None) -> str:
    if zone is None or zone.quote is None:
        return "No value yet."
    quote, name = zone.quote, clean(zone.name, 40)
    shown = written.intensity_range(quote.fresh)
    how = "estimated" if quote.reading.estimated else "measured"
    if quote.reading.basis == "direct":
        how += f", from {written.intensity(quote.reading.g_per_kwh)} at the power plants alone"
    asked_at = quote.asked_at.astimezone()
    return f"Zone {name}: {shown.best} {shown.bounds} from {quote.span}, {how}; asked at {asked_at:%H:%M}."


def _ahead(zone: Zone, title: str) -> list[str]:
    """When a run of an hour would emit least, by the forecast."""
    quotes: tuple[Quote, ...] = zone.ahead
    if not quotes:
        return [] if zone.ahead_trouble is None else [f"No forecast: {title} {clean(zone.ahead_trouble, 200)}."]
    now = datetime.now(timezone.utc)
    found = cleanest_ahead(quotes, max(now, quotes[0].reading.begins), RUN_S)
    if found is None:
        return ["By its forecast no hour is cleaner than this one by more than the forecast can tell."]
    when = found[0].astimezone()
    day = "" if when.date() == now.astimezone().date() else f" ({when:%A})"
    said = words(found[1], when.time())
    return [f"By its forecast, of an hour from now and an hour from {when:%H:%M}{day}: {said}"]


def _paragraphs(sentences: Iterable[str]) -> str:
    return "\n".join(line for sentence in sentences for line in paragraph([sentence], TEXT_WIDTH, indent=""))
