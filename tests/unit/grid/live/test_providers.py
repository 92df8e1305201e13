"""The two providers, asked over real connections to a server on loopback that answers as it is told to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from stubs.service import (
    Answer,
    Service,
    cuts,
    drips,
    electricity_maps,
    half_hours,
    hour,
    says,
    says_nothing,
    says_text,
    service,
)

from carbon_magic.grid.live.carbonintensity import CarbonIntensity
from carbon_magic.grid.live.electricitymaps import ElectricityMaps
from carbon_magic.grid.live.fetch import Asking, Limits
from carbon_magic.grid.live.provider import LiveError, Reading, checked, lifecycle_range
from carbon_magic.grid.regions import all_regions
from carbon_magic.quantity import Interval

TOKEN = "s3cret-t0ken"
PATIENT = Limits(connect_s=20.0, read_s=20.0, total_s=60.0)
TIGHT = {
    "nothing": Limits(connect_s=20.0, read_s=0.3, total_s=60.0),
    "drips": Limits(connect_s=20.0, read_s=20.0, total_s=0.6),
}
"""By case: where time is what is tried."""
NOW = datetime(2026, 7, 1, 14, 20, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Service]:
    with service() as running:
        yield running


def maps(server: Service, **environ: str) -> ElectricityMaps:
    return ElectricityMaps({"ELECTRICITYMAPS_TOKEN": TOKEN, **environ}, server.url)


def latest(server: Service, answer: Answer, limits: Limits = PATIENT) -> Reading:
    server.answer = answer
    return checked(maps(server).latest("FR", Asking(limits).get), datetime.now(timezone.utc))


def test_electricity_maps_is_asked_for_a_zone_with_the_token_in_a_header(server: Service) -> None:
    reading = latest(server, says(electricity_maps(43.5)))
    assert reading == Reading(43.5, hour(), hour() + timedelta(hours=1), "lifecycle", False)
    ((path, headers),) = server.asked
    assert path == "/v3/carbon-intensity/latest?zone=FR&emissionFactorType=lifecycle"
    assert headers["auth-token"] == TOKEN
    assert headers["Accept-Encoding"] == "identity"


def test_what_is_estimated_or_does_not_say_so_counts_as_estimated(server: Service) -> None:
    assert latest(server, says(electricity_maps(43, isEstimated=True))).estimated
    assert latest(server, says(electricity_maps(43, isEstimated=None))).estimated


def test_a_value_holds_for_the_step_that_is_named(server: Service) -> None:
    begins = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    reading = latest(server, says(electricity_maps(43, begins, temporalGranularity="5_minutes")))
    assert (reading.begins, reading.ends) == (begins, begins + timedelta(minutes=5))


HOSTILE: dict[str, tuple[Answer, str]] = {
    "NaN": (says_text('{"zone": "FR", "carbonIntensity": NaN, "datetime": "2026-01-01T00:00Z"}'), "cannot be read"),
    "-5": (says(electricity_maps(-5)), "-5 g/kWh, which no grid emits"),
    "0": (says(electricity_maps(0)), "0 g/kWh, which no grid emits over its life cycle"),
    "0.001": (says(electricity_maps(0.001)), "0.001 g/kWh, which no grid emits over its life cycle"),
    "1e9": (says(electricity_maps(1e9)), "1e\\+09 g/kWh, which no grid emits"),
    "1e999": (says_text('{"zone": "FR", "carbonIntensity": 1e999, "datetime": "2026-01-01T00:00Z"}'), "no grid emits"),
    "text": (says(electricity_maps(0, carbonIntensity="43")), "without a number"),
    "true": (says(electricity_maps(0, carbonIntensity=True)), "without a number"),
    "null": (says(electricity_maps(0, carbonIntensity=None)), "without a number"),
    "no time": (says(electricity_maps(43, datetime="soon")), "without a time"),
    "tomorrow": (says(electricity_maps(43, hour() + timedelta(days=1))), "which is not yet"),
    "last week": (says(electricity_maps(43, hour() - timedelta(days=7))), "has no newer value than that of 20"),
    "another zone": (says(electricity_maps(43, zone="DE")), "another zone"),
    "another basis": (says(electricity_maps(43, emissionFactorType="direct")), "another basis"),
    "invented": (says(electricity_maps(43, estimationMethod="SANDBOX_MODE_DATA")), "invented figures"),
    "a list": (says([1, 2]), "another zone"),
    "HTML": (says_text("<html>hello</html>", "text/html"), "text/html and not with JSON"),
    "no JSON": (says_text("{"), "JSON that cannot be read"),
    "deep": (says_text("[" * 60_000), "JSON that cannot be read"),
    "huge number": (says_text('{"carbonIntensity": ' + "9" * 6000 + "}"), "JSON that cannot be read|another zone"),
    "huge": (says_text(" " * 70_000), "more than 64 KiB"),
    "packed": (lambda handler: handler.say(b"{}", Content_Encoding="gzip"), "not asked for"),
    "401": (
        says({"message": TOKEN}, 401),
        "refuses the token \\(401\\).*looked for in CARBON_MAGIC_ELECTRICITYMAPS_TOKEN",
    ),
    "403": (says({}, 403), "does not allow this with the token \\(403\\)"),
    "404": (says({}, 404), "does not know the zone \\(404\\)"),
    "429": (says({}, 429, Retry_After="120"), "asks for fewer questions \\(429\\)"),
    "500": (says({}, 500), "out of order \\(500\\)"),
    "redirect": (says({}, 302, Location="http://127.0.0.1:9/"), "another address \\(302\\), which is not followed"),
    "nothing": (says_nothing, "does not answer in time"),
    "drips": (drips, "does not answer in 0.6 s"),
    "cuts": (cuts, "the connection is cut"),
    "no HTTP": (lambda handler: handler.wfile.write(b"hello\r\n\r\n") and None, "cannot be reached"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_whatever_it_answers_there_is_a_value_or_a_word_why_not(server: Service, case: str) -> None:
    answer, words = HOSTILE[case]
    with pytest.raises(LiveError, match=words) as caught:
        latest(server, answer, TIGHT.get(case, PATIENT))
    assert TOKEN not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
    assert len(server.asked) == 1


def test_a_refusal_says_when_to_come_back(server: Service) -> None:
    for text, seconds in (("120", 120.0), ("nonsense", None), ("inf", None), ("-5", 0.0)):
        with pytest.raises(LiveError) as caught:
            latest(server, says({}, 429, Retry_After=text))
        assert caught.value.retry_after_s == seconds
    with pytest.raises(LiveError) as caught:
        latest(server, says({}, 503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"))
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > 1e9


def test_nobody_there_is_said(server: Service) -> None:
    address = server.url
    server.server_close()
    provider = ElectricityMaps({"ELECTRICITYMAPS_TOKEN": TOKEN}, address)
    with pytest.raises(LiveError, match="nobody listens there"):
        provider.latest("FR", Asking(PATIENT).get)


def test_the_token_is_looked_for_in_two_variables_and_the_keyring(
    server: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = says(electricity_maps(43))
    both = {"CARBON_MAGIC_ELECTRICITYMAPS_TOKEN": "mine", "ELECTRICITYMAPS_TOKEN": "theirs"}
    ElectricityMaps(both, server.url).latest("FR", Asking(PATIENT).get)
    assert server.asked[-1][1]["auth-token"] == "mine"
    with pytest.raises(LiveError, match=r"there is none.*ELECTRICITYMAPS_TOKEN.*keyring set carbon-magic"):
        ElectricityMaps({}, server.url).latest("FR", Asking(PATIENT).get)
    (tmp_path / "keyring.py").write_text("def get_password(service, name): return f'{service}/{name}'\n")
    monkeypatch.syspath_prepend(tmp_path)
    ElectricityMaps({}, server.url).latest("FR", Asking(PATIENT).get)
    assert server.asked[-1][1]["auth-token"] == "carbon-magic/electricitymaps"
    assert len(server.asked) == 2


def test_what_can_be_no_token_is_not_sent_and_not_shown(server: Service) -> None:
    for text in ("two words", "line\nbreak", "gr\u00fcn", "x" * 1000):
        with pytest.raises(LiveError, match="What stands in ELECTRICITYMAPS_TOKEN is none") as caught:
            maps(server, ELECTRICITYMAPS_TOKEN=text).latest("FR", Asking(PATIENT).get)
        assert text not in str(caught.value)
    assert not server.asked


def test_asking_leaves_nothing_in_the_log(server: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        latest(server, says(electricity_maps(43)))
    assert not [record for record in caplog.records if record.name.startswith("http")]
    assert TOKEN not in caplog.text
    assert not logging.getLogger("httpx").filters


def test_httpx_missing_is_said_with_its_remedy(server: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(LiveError, match=r"pip install 'carbon-magic\[live\]'"):
        latest(server, says(electricity_maps(43)))
    assert not server.asked


@pytest.mark.parametrize(
    "address", ["http://example.org", "ftp://127.0.0.1", "https://", "https://a@b.c", "x", "https://[x"]
)
def test_a_token_goes_to_no_address_that_is_not_safe(address: str) -> None:
    with pytest.raises(ValueError, match="CARBON_MAGIC_ELECTRICITYMAPS_URL is no address") as caught:
        ElectricityMaps({"CARBON_MAGIC_ELECTRICITYMAPS_URL": address, "ELECTRICITYMAPS_TOKEN": TOKEN})
    assert TOKEN not in str(caught.value)


def test_zones_of_electricity_maps() -> None:
    zone = ElectricityMaps({}).zone
    expected = {
        "FR": "FR",
        "aws:eu-west-3": "FR",
        "US-CA": "US-CAL-CISO",
        "aws:us-west-1": "US-CAL-CISO",
        "aws:us-east-1": "US-MIDA-PJM",
        "US-VT": "US-NE-ISNE",
        "CA-QC": "CA-QC",
        "AU-NSW": "AU-NSW",
        "US": "US",
        "aws:us-west-2": None,
        "US-WA": None,
        "CN-SD": None,
        "WORLD": None,
        "Atlantis": None,
    }
    assert {region: zone(region) for region in expected} == expected
    for row in all_regions():
        found = zone(row.id)
        assert found is None or ElectricityMaps({}).check_zone(found) == found


def test_the_british_grid_as_a_whole_and_in_parts(server: Service) -> None:
    provider, get = CarbonIntensity({}, server.url), Asking(PATIENT).get
    server.answer = says({"data": half_hours([(112, 120)])})
    reading = provider.latest("GB", get)
    assert reading == Reading(112.0, hour(), hour() + timedelta(minutes=30), "direct", False)
    assert server.asked[-1][0] == "/intensity"
    server.answer = says({"data": half_hours([(None, 120)])})
    assert provider.latest("GB", get)[::4] == (120.0, True)
    server.answer = says({"data": [{"regionid": 13, "shortname": "London", "data": half_hours([(None, 90)])}]})
    assert provider.latest("13", get)[::4] == (90.0, True)
    assert server.asked[-1][0] == "/regional/regionid/13"
    for hostile in ({}, {"data": []}, {"data": [{"data": []}]}, {"data": [{"from": 3}]}, {"data": "x"}, [], None):
        server.answer = says(hostile)
        with pytest.raises(LiveError, match="without a"):
            provider.latest("GB", get)


def test_who_is_covered_by_the_british_api() -> None:
    provider = CarbonIntensity({})
    covered = {row.id for row in all_regions() if provider.zone(row.id)}
    assert covered == {"GB", "aws:eu-west-2", "azure:uksouth", "azure:ukwest", "gcp:europe-west2"}
    assert [provider.check_zone(zone) for zone in ("gb", "London", "13", "south-wales")] == ["GB", "13", "13", "7"]
    with pytest.raises(ValueError, match="13 London"):
        provider.check_zone("Paris")


def test_forecasts_are_in_order_and_estimated(server: Service) -> None:
    ahead = half_hours([(None, value) for value in (100, 50, 80)])
    server.answer = says({"data": list(reversed(ahead))})
    readings = CarbonIntensity({}, server.url).forecast("GB", Asking(PATIENT).get)
    assert [reading.g_per_kwh for reading in readings] == [100, 50, 80]
    assert server.asked[-1][0].startswith("/intensity/20")
    assert server.asked[-1][0].endswith("Z/fw48h")
    values = [{"carbonIntensity": value, "datetime": f"2026-01-01T0{value - 40}:00:00.000Z"} for value in (42, 41, 40)]
    server.answer = says({"zone": "FR", "forecast": values})
    found = maps(server).forecast("FR", Asking(PATIENT).get)
    assert [(reading.g_per_kwh, reading.estimated) for reading in found] == [(40, True), (41, True), (42, True)]
    server.answer = says({"zone": "FR"})
    with pytest.raises(LiveError, match="without a forecast"):
        maps(server).forecast("FR", Asking(PATIENT).get)


def test_whom_it_asks_is_what_it_says() -> None:
    assert ElectricityMaps({}).sends.endswith("to api.electricitymaps.com")
    assert CarbonIntensity({}).sends.endswith("to api.carbonintensity.org.uk")
    elsewhere = {"CARBON_MAGIC_ELECTRICITYMAPS_URL": "https://proxy.example:8443/maps"}
    assert ElectricityMaps(elsewhere).sends.endswith("your token, to proxy.example:8443")


def test_the_range_of_a_live_value() -> None:
    hour_of = (NOW.replace(minute=0), NOW.replace(minute=0) + timedelta(hours=1))
    maps_, british = ElectricityMaps({}), CarbonIntensity({})
    measured = Reading(50.0, *hour_of, "lifecycle", False)
    assert lifecycle_range(maps_, measured) == Interval(40.0, 50.0, 60.0)
    assert lifecycle_range(maps_, measured, passed=True) == Interval(30.0, 50.0, 70.0)
    assert lifecycle_range(maps_, measured._replace(estimated=True)) == Interval(30.0, 50.0, 70.0)
    direct = Reading(100.0, *hour_of, "direct", False)
    assert lifecycle_range(british, direct._replace(g_per_kwh=0.0)).best == 20.0, "wind alone"
    best = 1.25 * 100 + 20
    assert lifecycle_range(british, direct) == Interval(best * 0.6, best, best * 1.4)
    with pytest.raises(LiveError, match="at the power plant alone"):
        lifecycle_range(maps_, direct)
