"""The Carbon Intensity API of Great Britain's system operator: by half-hours, two days ahead, without a token.

Its values are direct and of what is consumed: metered generation and imports times factors of the plants' own
emissions, those of nuclear, wind, sun and water being 0 [NESO, Carbon Intensity Forecast Methodology, 2024]. For the
nation as a whole an estimate from metered generation (`actual`) follows each half-hour; that of the present one, and
whatever is said of a part of the country, is a forecast.

They are brought to the life cycle by

    lifecycle = 1.25 x direct + 20 g/kWh

What is burnt is nearly all gas, with 394 g/kWh in the method and 490 over the life cycle in the median of IPCC AR5
(Annex III, Table A.III.2): 1.24. What has no emissions of its own makes up two thirds and has 11 to 48 g/kWh (8 to 12
for the whole); biomass, a tenth, has 120 in the method and 230 by IPCC (another 8 for the whole). In 2024 the direct
mean was about 125 g/kWh, which gives 176; the mix of that year times IPCC's medians, imports included, about the same.
The range is that of a converted figure, 40 % either way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from carbon_magic.grid.live.provider import Get, LiveError, Reading, field, moment
from carbon_magic.grid.live.token import base_url, host
from carbon_magic.grid.regions import UnknownRegion, region

BASE_URL = "https://api.carbonintensity.org.uk"
FACTOR = 1.25
OFFSET_G_PER_KWH = 20.0
MOST_VALUES = 200
NATION = "GB"
PARTS = (
    "North Scotland",
    "South Scotland",
    "North West England",
    "North East England",
    "Yorkshire",
    "North Wales and Merseyside",
    "South Wales",
    "West Midlands",
    "East Midlands",
    "East England",
    "South West England",
    "South England",
    "London",
    "South East England",
    "England",
    "Scotland",
    "Wales",
)
"""The API's own parts of the country; it numbers them from 1."""


class CarbonIntensity:
    """The provider.

    Args:
        environ: where another address is looked for.
        address: of the API.
    """

    name = "carbonintensity"
    title = "Carbon Intensity API"

    def __init__(self, environ: Mapping[str, str] = os.environ, address: str | None = None) -> None:
        self._address = address or base_url(environ, self.name, BASE_URL)
        self.sends = f"the number of a part of Great Britain if you name one, to {host(self._address)}"

    def zone(self, region_id: str) -> str | None:
        try:
            row = region(region_id)
        except UnknownRegion:
            return None
        return NATION if NATION in (row.id, row.grid_region) else None

    def check_zone(self, zone: str) -> str:
        asked = zone.strip().casefold()
        if asked == NATION.casefold():
            return NATION
        for number, part in enumerate(PARTS, 1):
            if asked in (str(number), part.casefold(), part.casefold().replace(" ", "-")):
                return str(number)
        listed = ", ".join(f"{number} {part}" for number, part in enumerate(PARTS, 1))
        raise ValueError(f"a part of Great Britain is one of: GB, {listed}")

    def latest(self, zone: str, get: Get) -> Reading:
        path = "intensity" if zone == NATION else f"regional/regionid/{zone}"
        values = _values(get(f"{self._address}/{path}", {}))
        return _reading(values[0])

    def forecast(self, zone: str, get: Get) -> Sequence[Reading]:
        # The API takes the half-hour that ends at a full one for the one before.
        begins = datetime.now(timezone.utc) + timedelta(minutes=1)
        path = f"intensity/{begins:%Y-%m-%dT%H:%MZ}/fw48h"
        path = path if zone == NATION else f"regional/{path}/regionid/{zone}"
        readings = [_reading(value) for value in _values(get(f"{self._address}/{path}", {}))[:MOST_VALUES]]
        return sorted(readings, key=lambda reading: reading.begins)

    def lifecycle(self, direct_g_per_kwh: float) -> float:
        return FACTOR * direct_g_per_kwh + OFFSET_G_PER_KWH


def _values(data: object) -> list[object]:
    """The half-hours in an answer: national ones stand in a list, those of a part one level further down."""
    found = field(data, "data")
    part = field(found, 0) if isinstance(found, list) else found
    inner = field(part, "data")
    found = found if inner is None else inner
    if not isinstance(found, list) or not found:
        raise LiveError("answers without a value")
    return found


def _reading(value: object) -> Reading:
    actual, forecast = field(value, "intensity", "actual"), field(value, "intensity", "forecast")
    number = forecast if actual is None else actual
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise LiveError("answers without a number")
    begins, ends = moment(field(value, "from")), moment(field(value, "to"))
    return Reading(float(number), begins, ends, "direct", actual is None)
