"""What the forecast of a live provider says of the same run at another time of day, where the user has named one."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from carbon_magic import written
from carbon_magic.grid.hourly import words
from carbon_magic.grid.live.ahead import ratio_ahead
from carbon_magic.live import LiveState
from carbon_magic.views.plain import clean


def forecast_sentence(state: LiveState, at: time, duration_s: float, now: datetime) -> str | None:
    """`By …'s forecast, 18 min from now and from 03:00: The same run at 03:00 would emit 31 % less (8–48).`

    Args:
        state: what is known of the live intensity here.
        at: on this machine's clock; the next time that it shows this is meant.
        duration_s: how long the run takes.
        now: with a zone.

    Returns:
        None where nobody is asked, or the forecast does not hold both runs.
    """
    if state.live is None:
        return None
    zone, _ = state.live.quote(state.base)
    if zone is None or not zone.ahead:
        return None
    local = now.astimezone()
    # Midnight to midnight by the calendar: a day of a clock change has 23 or 25 hours.
    later = datetime.combine(local.date(), at).astimezone()
    if later <= local:
        later = datetime.combine(local.date() + timedelta(days=1), at).astimezone()
    ratio = ratio_ahead(zone.ahead, max(now, zone.ahead[0].reading.begins), later, duration_s)
    if ratio is None:
        return None
    lasts, clock = written.duration(duration_s), f"{at.hour:02}:{at.minute:02}"
    return f"By {clean(state.live.title, 60)}’s forecast, {lasts} from now and from {clock}: {words(ratio, at)}"
