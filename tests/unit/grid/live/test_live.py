"""The live intensity of a process: what holds when, who is asked and how often, and what becomes of a failure."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from stubs.service import electricity_maps, half_hours, says, service

from carbon_magic.grid.intensity import place
from carbon_magic.grid.live import stored, watch
from carbon_magic.grid.live.ahead import cleanest_ahead, ratio_ahead
from carbon_magic.grid.live.choose import Choice, UnknownProvider, choice
from carbon_magic.grid.live.provider import LiveError, Reading
from carbon_magic.grid.live.watch import Live
from carbon_magic.grid.live.zone import Quote
from carbon_magic.grid.regions import by_id
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place

TWO = datetime(2026, 7, 1, 14, 0, tzinfo=timezone.utc)
FRANCE = place("FR", "user")
TOKEN = "s3cret-t0ken"


class World:
    """Two clocks that move by hand, and a provider that answers what it is told to."""

    def __init__(self, home: Path) -> None:
        self.wall_s = TWO.timestamp() + 20 * 60
        self.mono_s = 1000.0
        self.answers: list[object] = []
        self.asked: list[str] = []
        self.environ = {"CARBON_MAGIC_HOME": str(home), "ELECTRICITYMAPS_TOKEN": TOKEN}
        self.lives: list[Live] = []

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds

    def get(self, url: str, headers: Mapping[str, str]) -> object:
        self.asked.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def live(self, asked: str = "electricitymaps", home: str | None = None) -> Live:
        chosen = choice(asked)
        assert chosen is not None
        found = Live(
            chosen,
            self.environ,
            home=lambda: home,
            get=self.get,
            clock=lambda: self.wall_s,
            monotonic=lambda: self.mono_s,
            chance=lambda: 0.5,
        )
        self.lives.append(found)
        return found

    def settled(self, live: Live, base: Place = FRANCE) -> Place:
        """What holds once the question that is due, if one is, has been answered."""
        live.now(base, wanted=True)
        zone, _ = live.quote(base)
        deadline = time.monotonic() + 20.0
        while zone is not None and zone.asked and time.monotonic() < deadline:
            time.sleep(0.002)
        return live.now(base, wanted=False).place


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "home")
    yield found
    for live in found.lives:
        live.close()


def test_nobody_is_asked_before_something_is_measured(world: World) -> None:
    live = world.live()
    found = live.now(FRANCE, wanted=False)
    assert found.place.intensity_g_per_kwh == FRANCE.intensity_g_per_kwh
    assert (found.place.intensity_source, found.place.intensity_year) == ("Ember, no live value", 2025)
    assert "has not answered yet" in found.place.found
    assert not world.asked
    assert not [thread for thread in threading.enumerate() if thread.name == "carbon-magic live"]


def test_a_value_holds_from_the_beginning_of_its_hour(world: World) -> None:
    live = world.live()
    world.answers = [electricity_maps(50, TWO)]
    found = world.settled(live)
    assert found.intensity_g_per_kwh == Interval(40.0, 50.0, 60.0)
    assert (found.intensity_source, found.intensity_year) == ("Electricity Maps, live", None)
    assert (found.region, found.name, found.source, found.pue) == ("FR", "France", "user", 1.0)
    assert live.now(FRANCE, wanted=True).since_s == pytest.approx(1000.0 - 20 * 60)
    assert len(world.asked) == 1


def test_it_is_asked_again_when_the_hour_is_over_and_something_runs(world: World) -> None:
    live = world.live()
    world.answers = [electricity_maps(50, TWO), electricity_maps(80, TWO + timedelta(hours=1))]
    world.settled(live)
    for _ in range(39):
        world.pass_s(60.0)
        assert world.settled(live).intensity_g_per_kwh.best == 50.0
    assert len(world.asked) == 1
    world.pass_s(120.0)
    live.now(FRANCE, wanted=False)
    assert len(world.asked) == 1
    assert world.settled(live).intensity_g_per_kwh.best == 80.0
    assert len(world.asked) == 2


def test_a_failure_leaves_the_last_value_for_an_hour_and_then_the_annual_figure(world: World) -> None:
    live = world.live()
    world.answers = [electricity_maps(50, TWO), *[LiveError("is out of order (500)") for _ in range(50)]]
    world.settled(live)
    world.pass_s(40 * 60 + 60)
    found = world.settled(live)
    assert (found.intensity_source, found.intensity_g_per_kwh.high) == ("Electricity Maps, live", 60.0)
    assert live.problems() == ["live intensity: Electricity Maps is out of order (500)"]
    world.pass_s(120.0)
    found = world.settled(live)
    assert found.intensity_source == "Electricity Maps, live, last value"
    assert found.intensity_g_per_kwh == Interval(30.0, 50.0, 70.0)
    assert live.now(FRANCE, wanted=False).since_s == pytest.approx(world.mono_s - 180.0)
    world.pass_s(3600.0)
    found = world.settled(live)
    assert found.intensity_g_per_kwh == FRANCE.intensity_g_per_kwh
    assert found.intensity_source == "Ember, no live value"
    assert "out of order (500)" in found.found
    assert len(world.asked) < 15


def test_it_waits_longer_after_each_failure_and_as_long_as_it_was_asked_to(world: World) -> None:
    live = world.live()
    waits = []
    for error in (
        *[LiveError("does not answer in time") for _ in range(8)],
        LiveError("asks for fewer questions (429)", retry_after_s=2000.0),
        LiveError("asks for fewer questions (429)", retry_after_s=1e9),
        LiveError("refuses the token (401)", refused=True),
    ):
        world.answers = [error]
        world.settled(live)
        zone, _ = live.quote(FRANCE)
        assert zone is not None
        waits.append(zone.next_s - world.mono_s)
        world.mono_s = zone.next_s
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 2000, 3600, 900]
    assert len(world.asked) == 11


def test_who_has_just_refused_is_not_asked_for_a_forecast_too(world: World) -> None:
    live = world.live()
    world.answers = [LiveError("asks for fewer questions (429)"), {}]
    live.ask_now(FRANCE, 20.0)
    assert len(world.asked) == 1
    zone, _ = live.quote(FRANCE)
    assert zone is not None
    assert (zone.trouble, zone.ahead_trouble) == ("asks for fewer questions (429)", None)


def test_whatever_a_provider_raises_is_a_word(world: World) -> None:
    live = world.live()
    world.answers = [ZeroDivisionError(TOKEN)]
    found = world.settled(live)
    assert found.intensity_source == "Ember, no live value"
    assert "cannot be asked (ZeroDivisionError)" in found.found
    assert TOKEN not in found.found


def test_an_unknown_region_and_one_with_a_figure_of_its_own_stay(world: World) -> None:
    live = world.live()
    unknown = place(None, "unknown")
    own = FRANCE._replace(intensity_g_per_kwh=Interval(20.0, 24.0, 30.0), intensity_source="our solar roof")
    for base in (unknown, own):
        assert live.now(base, wanted=True) == (base, None)
    assert live.quote(unknown) == (None, "The region is unknown, so no grid can be asked for.")
    assert "by hand" in live.quote(own)[1]
    sweden = world.live("carbonintensity")
    assert sweden.now(place("SE", "user"), wanted=True).place == place("SE", "user")
    assert "no zone that is Sweden" in sweden.quote(place("SE", "user"))[1]
    assert not world.asked


def test_a_row_that_people_have_put_over_the_tables_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "by_id", lambda region_id: replace(by_id(region_id), lifecycle_method="own"))  # type: ignore[arg-type]
    assert world.live().now(FRANCE, wanted=True) == (FRANCE, None)
    assert not world.asked


def test_a_zone_that_is_named_stands_for_the_region_in_use_alone(world: World) -> None:
    live = world.live("electricitymaps:us-nw-bpat", home="US-WA")
    world.answers = [electricity_maps(40, TWO, zone="US-NW-BPAT"), electricity_maps(50, TWO)]
    assert world.settled(live, place("US-WA", "user")).intensity_g_per_kwh.best == 40.0
    assert world.settled(live, FRANCE).intensity_g_per_kwh.best == 50.0
    assert ["BPAT" in url for url in world.asked] == [True, False]


def test_a_direct_value_is_converted_and_says_so(world: World) -> None:
    live = world.live("carbonintensity")
    world.answers = [{"data": half_hours([(100, 90)], TWO)}]
    found = world.settled(live, place("GB", "user"))
    assert found.intensity_g_per_kwh == Interval(145 * 0.6, 145.0, 145 * 1.4)
    assert found.intensity_source == "Carbon Intensity API, live, converted"


def test_the_last_value_is_kept_for_other_kernels_and_for_nobody_else(world: World, tmp_path: Path) -> None:
    world.answers = [electricity_maps(50, TWO)]
    world.settled(world.live())
    (kept,) = (tmp_path / "home" / "live").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert TOKEN not in kept.read_text()
    assert world.settled(world.live()).intensity_g_per_kwh.best == 50.0
    assert len(world.asked) == 1
    world.pass_s(3600.0)
    world.answers = [LiveError("does not answer in time")]
    late = world.settled(world.live())
    assert late.intensity_source == "Electricity Maps, live, last value"
    assert len(world.asked) == 2


HOSTILE: dict[str, Callable[[Path, str], object]] = {
    "no JSON": lambda path, text: path.write_text("{"),
    "huge": lambda path, text: path.write_text(text + " " * 5000 + "x"),
    "deep": lambda path, text: path.write_text("[" * 4000),
    "1e9": lambda path, text: path.write_text(text.replace("50", "1e9")),
    "NaN": lambda path, text: path.write_text(text.replace("50.0", "NaN")),
    "true": lambda path, text: path.write_text(text.replace("50.0", "true")),
    "another zone": lambda path, text: path.write_text(text.replace('"FR"', '"DE"')),
    "another basis": lambda path, text: path.write_text(text.replace('"lifecycle"', '"marginal"')),
    "a wrong flag": lambda path, text: path.write_text(text.replace("false", '"no"')),
    "next year": lambda path, text: path.write_text(text.replace("2026", "2027")),
    "a folder": lambda path, text: (path.unlink(), path.mkdir()),
    "a link": lambda path, text: (path.rename(path.with_suffix(".x")), path.symlink_to(path.with_suffix(".x"))),
    "a pipe": lambda path, text: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_what_stands_in_the_kept_file_is_checked(world: World, tmp_path: Path, case: str) -> None:
    kept = stored.Kept(Reading(50.0, TWO, TWO + timedelta(hours=1), "lifecycle", False), TWO)
    path = stored.path_of("electricitymaps", "FR", world.environ)
    assert path is not None
    stored.write("electricitymaps", "FR", world.environ, kept)
    present = TWO + timedelta(minutes=20)
    assert stored.read("electricitymaps", "FR", world.environ, present) == kept
    HOSTILE[case](path, path.read_text())
    assert stored.read("electricitymaps", "FR", world.environ, present) is None


def test_a_name_that_would_lead_out_of_the_folder_has_no_file(world: World) -> None:
    for zone in ("../x", "a/b", "", ".", "x" * 100, "a\0b"):
        assert stored.path_of("electricitymaps", zone, world.environ) is None


def test_where_nothing_can_be_kept_the_value_holds_all_the_same(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    world.environ["CARBON_MAGIC_HOME"] = str(tmp_path / "file" / "below")
    world.answers = [electricity_maps(50, TWO)]
    assert world.settled(world.live()).intensity_g_per_kwh.best == 50.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_asks_nobody_and_goes_by_what_is_known(world: World) -> None:
    world.answers = [electricity_maps(50, TWO)]
    live = world.live()
    world.settled(live)
    pid = os.fork()
    if pid == 0:
        known = live.now(FRANCE, wanted=True).place.intensity_g_per_kwh.best == 50.0
        new = world.live()
        kept = new.now(FRANCE, wanted=True)
        kept = new.now(FRANCE, wanted=True)
        other = new.now(place("DE", "user"), wanted=True)
        other = new.now(place("DE", "user"), wanted=True)
        fine = (
            known
            and kept.place.intensity_g_per_kwh.best == 50.0
            and "forked" in other.place.found
            and len(world.asked) == 1
            and threading.active_count() == 1
        )
        os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_thread_ends_when_nobody_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LINGER_S", 0.01)
    world.answers = [electricity_maps(50, TWO), electricity_maps(60, TWO + timedelta(hours=1))]
    live = world.live()
    world.settled(live)
    deadline = time.monotonic() + 20.0
    while live._thread is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert live._thread is None
    world.pass_s(3600.0)
    assert world.settled(live).intensity_g_per_kwh.best == 60.0


def test_over_a_real_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with service() as server:
        server.answer = says(electricity_maps(50))
        environ = {
            "CARBON_MAGIC_HOME": str(tmp_path),
            "CARBON_MAGIC_ELECTRICITYMAPS_URL": server.url,
            "ELECTRICITYMAPS_TOKEN": TOKEN,
        }
        live = Live(Choice("electricitymaps"), environ)
        live.ask_now(FRANCE, 20.0)
        assert live.now(FRANCE, wanted=False).place.intensity_g_per_kwh.best == 50.0
        kept = {name: value for held in (live, live._asker, live.provider) for name, value in vars(held).items()}
        del kept["_environ"]  # the process's own
        assert TOKEN not in repr(kept) + repr(live) + repr(vars(kept["_token"]).keys())
        live.close()
        paths = [path for path, _ in server.asked]
    assert [path.split("?")[0].rpartition("/")[2] for path in paths] == ["latest", "forecast"]


def test_which_provider_is_meant() -> None:
    assert choice("electricitymaps") == Choice("electricitymaps")
    assert choice(" ElectricityMaps : dk-dk1 ") == Choice("electricitymaps", "DK-DK1")
    assert choice("carbonintensity:London") == Choice("carbonintensity", "13")
    assert [choice(word) for word in ("off", "", "None", "0")] == [None] * 4
    with pytest.raises(UnknownProvider, match="Nearest: electricitymaps"):
        choice("electricitymap")
    with pytest.raises(UnknownProvider, match="Nearest: electricitymaps, carbonintensity"):
        choice("zzz\x1b[31m")
    with pytest.raises(UnknownProvider, match="looks like FR"):
        choice("electricitymaps:../../x")
    with pytest.raises(UnknownProvider, match="13 London"):
        choice("carbonintensity:Paris")


def other_package(folder: Path, code: str) -> None:
    """A package that is installed in a folder, with a provider."""
    (folder / "theirs.py").write_text(code)
    about = folder / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[carbon_magic.intensity]\ntheirs = theirs:Theirs\n")


THEIRS = """
from datetime import datetime, timedelta, timezone
from carbon_magic.grid.live.provider import Reading

class Theirs:
    name, title, sends = "theirs", "Their Service", "nothing"
    def zone(self, region_id): return {"FR": "france"}.get(region_id)
    def check_zone(self, zone): return zone
    def latest(self, zone, get):
        begins = datetime(2026, 7, 1, 14, tzinfo=timezone.utc)
        return Reading(float(get("their:" + zone, {})), begins, begins + timedelta(hours=1), "lifecycle", False)
"""


def test_other_packages_add_providers(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_package(tmp_path, THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    live = world.live("theirs")
    assert live.provider is None
    world.answers = [33]
    live.ask_now(FRANCE, 20.0)
    found = live.now(FRANCE, wanted=False).place
    assert found.intensity_g_per_kwh.best == 33.0
    assert found.intensity_source == "Their Service, live"
    assert world.asked == ["their:france"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise RuntimeError('no')", "cannot be loaded (RuntimeError)"),
        ("class Theirs: pass", "is no provider: it lacks name, title"),
        ("Other = 3", "cannot be loaded (AttributeError)"),
    ],
)
def test_a_provider_that_is_broken_costs_a_value_and_says_so(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    other_package(tmp_path, code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "theirs", raising=False)
    live = world.live("theirs")
    live.ask_now(FRANCE, 20.0)
    found = live.now(FRANCE, wanted=True).place
    assert found.intensity_g_per_kwh == FRANCE.intensity_g_per_kwh
    assert words in found.found
    assert words in live.problems()[0]


def forecast(*values: float) -> list[Quote]:
    """Hours from two o'clock on."""
    found = []
    for hour, value in enumerate(values):
        begins = TWO + timedelta(hours=hour)
        best = Interval(value * 0.6, value, value * 1.4)
        found.append(Quote(Reading(value, begins, begins + timedelta(hours=1), "lifecycle", True), best, best, TWO))
    return found


def test_what_a_forecast_says_of_the_same_run_later() -> None:
    ahead = forecast(100, 100, 50, 40, 90)
    ratio = ratio_ahead(ahead, TWO + timedelta(minutes=30), TWO + timedelta(hours=2), 3600.0)
    assert ratio is not None
    assert ratio.best == pytest.approx(0.5)
    assert ratio.low < 0.45
    assert 0.5 < ratio.high < 0.65
    assert ratio_ahead(ahead, TWO, TWO + timedelta(hours=3), 3 * 3600.0) is None
    found = cleanest_ahead(ahead, TWO, 2 * 3600.0)
    assert found is not None
    assert found[0] == TWO + timedelta(hours=2)
    assert found[1].best == pytest.approx(0.45)
    assert cleanest_ahead(forecast(100, 98, 99), TWO, 3600.0) is None
    assert cleanest_ahead([], TWO, 3600.0) is None
