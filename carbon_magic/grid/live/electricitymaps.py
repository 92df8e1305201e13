"""Electricity Maps: life-cycle intensity of what is consumed, by hour, for most grids of the world; with a token.

Its API is asked for the latest value of a zone (`/v3/carbon-intensity/latest`) and for its forecast. Facts of it that
matter here [docs.electricitymaps.com]: life-cycle factors are the default and are asked for by name all the same;
`isEstimated` tells whether the hour's mix was modelled; `datetime` is the beginning of an hour, or of the step that
`temporalGranularity` names; a token for trying out answers every question with invented figures, which are marked
`SANDBOX_MODE_DATA` and are refused here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from carbon_magic.grid.live.provider import Get, LiveError, Reading, field, moment
from carbon_magic.grid.live.token import Token, base_url, host
from carbon_magic.grid.regions import UnknownRegion, region

BASE_URL = "https://api.electricitymaps.com"
_STEPS = {"5_minutes": timedelta(minutes=5), "15_minutes": timedelta(minutes=15), "hourly": timedelta(hours=1)}
_ZONE = re.compile(r"[A-Z]{2,4}(-[A-Z0-9]{1,8}){0,3}")
MOST_VALUES = 200

_US_ZONES = {
    "US-CAL-CISO": "US-CA US-EGRID-CAMX",
    "US-TEX-ERCO": "US-TX US-EGRID-ERCT",
    "US-NY-NYIS": "US-NY US-EGRID-NYUP US-EGRID-NYCW US-EGRID-NYLI",
    "US-NE-ISNE": "US-EGRID-NEWE US-MA US-CT US-RI US-NH US-VT US-ME",
    "US-MIDA-PJM": "US-EGRID-RFCE US-PA US-NJ US-MD US-DE US-VA US-DC",
}
"""Zones that are all, or most, of a region's grid. Other states lie in several: their zone must be named."""
_ZONES = {region_id: zone for zone, regions in _US_ZONES.items() for region_id in regions.split()}
_ZONES["CA-NL"] = "CA-NL-NF"


class ElectricityMaps:
    """The provider.

    Args:
        environ: where the token, and another address, are looked for.
        address: of the API.
    """

    name = "electricitymaps"
    title = "Electricity Maps"

    def __init__(self, environ: Mapping[str, str] = os.environ, address: str | None = None) -> None:
        self._address = address or base_url(environ, self.name, BASE_URL)
        self._token = Token(self.name, environ)
        self.sends = f"the zone's name and your token, to {host(self._address)}"

    def zone(self, region_id: str) -> str | None:
        try:
            row = region(region_id)
        except UnknownRegion:
            return None
        for near in (row.id, row.grid_region, row.subdivision):
            if near is None:
                continue
            if near in _ZONES:
                return _ZONES[near]
            if near.startswith(("CA-", "AU-")) or (len(near) == 2 and near != "US"):
                return near
        # The United States as a whole are no grid for one who is somewhere in them.
        return row.id if row.id == "US" else None

    def check_zone(self, zone: str) -> str:
        written = zone.strip().upper()
        if not _ZONE.fullmatch(written):
            raise ValueError("a zone of Electricity Maps looks like FR, DK-DK1 or US-CAL-CISO")
        return written

    def latest(self, zone: str, get: Get) -> Reading:
        data = self._ask("latest", zone, get)
        if field(data, "zone") != zone:
            raise LiveError("answers for another zone")
        return self._reading(data, data)

    def forecast(self, zone: str, get: Get) -> Sequence[Reading]:
        data = self._ask("forecast", zone, get)
        values = field(data, "forecast") or field(data, "data")
        if not isinstance(values, list) or not values:
            raise LiveError("answers without a forecast")
        readings = [self._reading(value, data)._replace(estimated=True) for value in values[:MOST_VALUES]]
        return sorted(readings, key=lambda reading: reading.begins)

    def _ask(self, what: str, zone: str, get: Get) -> object:
        url = f"{self._address}/v3/carbon-intensity/{what}?zone={zone}&emissionFactorType=lifecycle"
        try:
            data = get(url, {"auth-token": self._token.read()})
        except LiveError as error:
            if error.refused and "404" not in error.words:
                raise LiveError(f"{error.words}. {self._token.where()}", refused=True) from None
            raise
        marks = (field(data, "estimationMethod"), field(data, "_disclaimer"))
        if any("SANDBOX" in str(mark).upper() for mark in marks):
            raise LiveError("answers with invented figures, as the token is one for trying out", refused=True)
        return data

    @staticmethod
    def _reading(data: object, around: object) -> Reading:
        begins = moment(field(data, "datetime"))
        step = _STEPS.get(str(field(around, "temporalGranularity") or "hourly"), timedelta(hours=1))
        if step == _STEPS["hourly"]:
            begins = begins.replace(minute=0, second=0, microsecond=0)
        basis = field(data, "emissionFactorType") or field(around, "emissionFactorType") or "lifecycle"
        if basis != "lifecycle":
            raise LiveError("answers on another basis than the one asked for")
        value = field(data, "carbonIntensity")
        value = field(data, "value") if value is None else value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise LiveError("answers without a number")
        estimated = field(data, "isEstimated")
        return Reading(float(value), begins, begins + step, "lifecycle", estimated is not False)
