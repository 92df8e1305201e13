"""`carbon-magic compare`, and what `%carbon compare` makes of its words and of a session."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from unit.views.made_records import HOSTILE, WH, record

import carbon_magic
from carbon_magic.cli import main
from carbon_magic.commands.comparing import Run, hour_sentences
from carbon_magic.commands.elsewhere import OPTIONS, elsewhere, parse
from carbon_magic.commands.forecast import forecast_sentence
from carbon_magic.commands.methods import methods_page
from carbon_magic.grid.choice import SPREAD, Wanted, choose_regions
from carbon_magic.grid.choose import VARIABLES
from carbon_magic.grid.compare import compare
from carbon_magic.grid.intensity import place
from carbon_magic.grid.live.carbonintensity import FACTOR, OFFSET_G_PER_KWH
from carbon_magic.grid.live.provider import LEAST_G_PER_KWH, MEASURED_HALF, Reading
from carbon_magic.grid.live.zone import Quote, Zone
from carbon_magic.grid.regions import UnknownRegion, all_regions, by_id
from carbon_magic.ledger.record import CellRecord
from carbon_magic.live import LiveState
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place, RunningCell, Snapshot
from carbon_magic.views.compare import Compared

FIELDS = (
    "region name emissions_g emissions_g_low emissions_g_high intensity_g_per_kwh pue ratio overlaps year source note"
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that tells nothing of where it is; its root."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_ROOT", str(tmp_path))
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["compare", *arguments]) == 0
    return capsys.readouterr().out


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(printed(capsys, *arguments, "--json"))
    return rows


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    try:
        code = main(["compare", *arguments])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.count("\n") == 1
    return captured.err


# The command line


def test_json_has_exactly_these_fields_and_here_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "--energy-kwh", "12.5", "--from", "PL", "--to", "SE", "FR", "aws:us-west-2")
    assert [row["region"] for row in rows] == ["PL", "SE", "FR", "aws:us-west-2"]
    assert all(list(row) == FIELDS.split() for row in rows)
    here, sweden, _, oregon = rows
    assert here["emissions_g"] == pytest.approx(12.5 * 590.8)
    assert (here["ratio"], here["overlaps"], here["pue"]) == (1.0, True, 1.0)
    assert sweden["emissions_g"] == pytest.approx(12.5 * 35.35)
    assert sweden["emissions_g_low"] < sweden["emissions_g"] < sweden["emissions_g_high"]
    assert sweden["ratio"] == pytest.approx(35.35 / 590.8)
    assert sweden["overlaps"] is False
    assert (sweden["year"], sweden["source"], sweden["note"]) == (2025, "Ember", None)
    assert oregon["pue"] == 1.12
    assert oregon["emissions_g"] == pytest.approx(12.5 * 323.8 * 1.12)
    assert oregon["intensity_g_per_kwh"] == 323.8


def test_an_energys_range_widens_the_grams_and_not_the_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    exact = rows_of(capsys, "--energy-kwh", "2", "--from", "PL", "--to", "SE")
    wide = ("--energy-kwh", "2", "--energy-kwh-low", "1", "--energy-kwh-high", "4", "--from", "PL", "--to", "SE")
    for one, other in zip(exact, rows_of(capsys, *wide), strict=True):
        assert other["emissions_g_low"] < one["emissions_g_low"]
        assert other["emissions_g_high"] > one["emissions_g_high"]
        assert (other["ratio"], other["overlaps"]) == (one["ratio"], one["overlaps"])
    assert "2 kWh (1–4)" in printed(capsys, *wide).replace("\u00a0", " ")


def test_an_unknown_here_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    here, sweden = rows_of(capsys, "--energy-kwh", "1", "--to", "SE")
    assert here["region"] == "WORLD"
    assert here["emissions_g"] is here["intensity_g_per_kwh"] is here["ratio"] is here["overlaps"] is None
    assert 0 < here["emissions_g_low"] < here["emissions_g_high"]
    assert sweden["ratio"] is sweden["overlaps"] is None
    assert sweden["emissions_g"] == pytest.approx(35.35)


def test_the_environment_says_where_here_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_REGION", "DE")
    assert rows_of(capsys, "--energy-kwh", "1", "--to", "SE")[0]["region"] == "DE"


def test_else_here_is_where_the_machine_is_and_how_it_was_found_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    asked = ("--energy-kwh", "1", "--to", "SE")
    assert "Region unknown (time zone UTC), so nothing" in printed(capsys, *asked)
    monkeypatch.setitem(os.environ, "TZ", "Europe/Paris")
    how = "from the time zone Europe/Paris, assumed"
    assert f"Here: {how}." in printed(capsys, *asked)
    here, sweden = rows_of(capsys, *asked)
    assert (here["region"], here["note"], sweden["note"]) == ("FR", how, None)
    (nowhere / "run/cloud-init").mkdir(parents=True)
    told = {"v1": {"cloud_name": "aws", "region": "us-west-2"}}
    (nowhere / "run/cloud-init/instance-data.json").write_text(json.dumps(told))
    here = rows_of(capsys, *asked)[0]
    assert (here["region"], here["pue"]) == ("aws:us-west-2", 1.12)
    assert here["note"].startswith("from cloud-init: aws us-west-2; city as listed")
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_REGION", "DE")
    assert rows_of(capsys, *asked)[0]["region"] == "DE", "what was said wins"
    assert "Here:" not in printed(capsys, *asked)
    assert rows_of(capsys, *asked, "--from", "unknown")[0]["emissions_g"] is None


def test_own_figures_of_the_environment_are_here_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_INTENSITY", "24")
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_PUE", "1.5")
    here, sweden = rows_of(capsys, "--energy-kwh", "1", "--to", "SE")
    assert (here["region"], here["intensity_g_per_kwh"], here["pue"]) == ("own", 24.0, 1.5)
    assert (sweden["region"], sweden["pue"]) == ("SE", 1.5)
    assert [row["pue"] for row in rows_of(capsys, "--energy-kwh", "1", "--to", "SE", "--pue", "2")] == [2.0, 2.0]
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_INTENSITY", "much")
    assert "CARBON_MAGIC_INTENSITY is a number" in refused(capsys, "--energy-kwh", "1", "--to", "SE")
    assert rows_of(capsys, "--energy-kwh", "1", "--from", "PL", "--to", "SE")[0]["pue"] == 1.0
    monkeypatch.delitem(os.environ, "CARBON_MAGIC_INTENSITY")
    monkeypatch.setitem(os.environ, "CARBON_MAGIC_REGION", "Frnace")
    assert "CARBON_MAGIC_REGION: No region" in refused(capsys, "--energy-kwh", "1", "--to", "SE")


def test_a_pue_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "--energy-kwh", "1", "--from", "PL", "--to", "SE", "aws:eu-north-1", "--pue", "1.5")
    assert [row["pue"] for row in rows] == [1.5, 1.1, 1.5]


def test_filters_hold_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "--energy-kwh", "1", "--from", "aws:eu-west-3", "--same-provider", "--eu")
    ids = [row["region"] for row in rows]
    assert ids[0] == "aws:eu-west-3"
    assert all(name.startswith("aws:eu-") or name == "aws:eusc-de-east-1" for name in ids)
    assert "aws:eu-west-2" not in ids, "London"
    assert "aws:eu-central-2" not in ids, "Zürich"
    near = [row["region"] for row in rows_of(capsys, "--energy-kwh", "1", "--from", "aws:eu-west-3", "--near", "400km")]
    assert "gcp:europe-west9" in near, "Paris too"
    assert "aws:eu-west-2" in near, "London"
    assert "aws:eu-south-2" not in near, "Spain"
    assert len(rows_of(capsys, "--energy-kwh", "1", "--from", "PL", "--eu", "--top", "3")) == 4


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--energy-kwh", "12.5", "--from", "PL", "--to", "Sweden", "fra").replace("\u00a0", " ")
    assert text.startswith("12.5 kWh\n")
    assert "Poland (here)" in text
    assert "Lowest of 2: Sweden, 0.06× here" in text
    assert "carbon-magic methods" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--energy-kwh", "1", "--from", "PL", "--to", "Swden"], "Nearest: SE (Sweden)"),
        (["--energy-kwh", "1", "--from", "Georgia"], "more than one region"),
        (["--energy-kwh", "nan", "--from", "PL"], "no energy in kWh"),
        (["--energy-kwh", "inf", "--from", "PL"], "no energy in kWh"),
        (["--energy-kwh=-1", "--from", "PL"], "no energy in kWh"),
        (["--energy-kwh", "1e300", "--from", "PL"], "no energy in kWh"),
        (["--energy-kwh", "1", "--energy-kwh-low", "2"], "lies between"),
        (["--energy-kwh", "1", "--from", "PL", "--pue", "0.9"], "no PUE"),
        (["--energy-kwh", "1", "--from", "PL", "--near", "far"], "500km"),
        (["--energy-kwh", "1", "--from", "PL", "--near", "-3km"], "--near"),
        (["--energy-kwh", "1", "--from", "PL", "--at", "25:00"], "no time of day"),
        (["--energy-kwh", "1", "--from", "PL", "--top", "0"], "no number of regions"),
        (["--energy-kwh", "1", "--from", "PL", "--same-provider"], "is no cloud region"),
        (["--energy-kwh", "1", "--from", "PL", "--same-provder"], "--same-provider"),
        (["--from", "PL"], "--energy-kwh"),
        (["--energy-kwh", "1", "--from", HOSTILE.replace("\x00", "")], "No region"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    said = refused(capsys, *arguments)
    assert words in said
    assert "\x1b" not in said


def test_a_file_of_own_data_that_is_not_there_is_named_without_what_a_terminal_obeys(
    nowhere: Path,
) -> None:
    environ = {**os.environ, "CARBON_MAGIC_DATA": str(nowhere / "\x1b[31mno.csv")}
    asked = [sys.executable, "-m", "carbon_magic", "compare", "--energy-kwh", "1", "--from", "FR"]
    told = subprocess.run(asked, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout) == (2, "")
    assert "No such file" in told.stderr
    assert "\x1b" not in told.stderr


# Which regions


def test_what_is_listed_where_nobody_named_any_is_said() -> None:
    spread = choose_regions(place("DE", "user"), Wanted())
    assert spread.ids == SPREAD
    assert "Nobody named any" in spread.said
    bests = [by_id(name).lifecycle_g_per_kwh for name in SPREAD[:-1]]
    assert max(bests) / min(bests) > 10
    provider = choose_regions(place("aws:eu-north-1", "user"), Wanted())
    assert set(provider.ids) == {row.id for row in all_regions() if row.provider == "aws"}
    assert "all regions of AWS." in provider.said
    assert choose_regions(place(None, "unknown"), Wanted()).ids == SPREAD
    assert choose_regions(place("DE", "user"), Wanted(("SE", "sweden", "SWE"))).ids == ("SE",)
    with pytest.raises(UnknownRegion, match="Nearest"):
        choose_regions(place("DE", "user"), Wanted(("Swden",)))


# A session


def session(*records: CellRecord, running: tuple[RunningCell, ...] = (), wh: float | None = 41.3) -> Snapshot:
    energy_j = None if wh is None else Interval(wh * 0.8, wh, wh * 1.2).scaled(WH)
    return Snapshot(
        session_id="s",
        tracking=True,
        started_at="2026-11-23T12:00:00Z",
        duration_s=3600.0,
        energy_j=energy_j,
        machine_energy_j=None,
        between_cells_j=None,
        emissions_g=None,
        emissions_known=True,
        power_w=None,
        mean_power_w=None,
        domains={},
        place=place("PL", "user"),
        scope="dedicated",
        scope_reason="",
        records=records,
        running=running,
        problems=(),
    )


def asked(line: str, snapshot: Snapshot) -> Compared:
    return elsewhere(parse(line.split()), snapshot, None)


def test_the_session_a_cell_or_a_label() -> None:
    cells = session(
        record(execution_count=7, label="encode", wh=(1.0, 1.0, 1.0)),
        record(execution_count=8, label="train", wh=(2.0, 2.0, 2.0)),
        record(execution_count=9, label="train", wh=(4.0, 4.0, 4.0)),
        record(execution_count=10, label="train", wh=(8.0, 8.0, 8.0), concurrent=True),
    )
    whole = asked("SE", cells)
    assert whole.energy_j is not None
    assert (whole.energy_j.best, whole.rows[0].region) == (41.3 * WH, "PL")
    cell = asked("SE --cell 8", cells)
    assert (cell.energy_j, cell.rows[0].region) == (Interval.exact(2.0 * WH), "FR"), "its own record says where it ran"
    assert asked("SE --cell=[8]", cells).energy_j == cell.energy_j
    label = asked("SE --label train", cells)
    assert label.energy_j == Interval.exact(6.0 * WH), "what overlaps is never added"
    assert "(2 cells)" in label.what
    with pytest.raises(ValueError, match=r"no cell.*99.*8, 9, 10"):
        asked("SE --cell 99", cells)
    with pytest.raises(ValueError, match="Nearest: train"):
        asked("SE --label trian", cells)
    with pytest.raises(ValueError, match="has not ended yet"):
        asked("SE --cell 11", session(running=(RunningCell(11, None, 2.0, None),)))


def test_a_session_without_figures_is_compared_by_intensity() -> None:
    compared = asked("SE", session(wh=None))
    assert compared.energy_j is None
    assert compared.rows[1].ratio is not None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--nera 100km", "Nearest: --near"),
        ("--near", "misses its value"),
        ("--near --eu", "misses its value"),
        ("--eu=1", "takes no value"),
        ("--at noon", "--at: 'noon' is no time of day"),
        ("--cell 1 --label x", "one of them"),
        ("--top many", "no number of regions"),
        ("Swden", "Nearest: SE"),
    ],
)
def test_usage(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("'", ".")):
        asked(line, session())
    assert all(option.startswith("--") for option in OPTIONS)


# Another time of day


def test_another_time_of_day_only_where_the_hours_are_known() -> None:
    run = Run(datetime(2026, 7, 15, 10, 0, tzinfo=timezone.utc), 3600.0)
    rows = compare(place("DE", "user"), ["SE", "aws:eu-north-1", "FR"])
    sentences = hour_sentences(rows, time(3, 0), run, True)
    assert sentences[0].startswith("Germany: ")
    assert any(sentence.startswith("Sweden, AWS eu-north-1: ") for sentence in sentences)
    assert sentences[-1] == "At 03:00: the hours of FR are not in the tables."
    assert "not known when" in hour_sentences(rows, time(3, 0), None, True)[0]
    unknown = hour_sentences(compare(place(None, "unknown"), ["DE"]), time(3, 0), run, False)
    assert [sentence.partition(":")[0] for sentence in unknown] == ["Germany"]
    compared = asked("DE SE --at 03:00", session())
    assert any("03:00" in sentence for sentence in compared.hours)


# The page


def test_the_page_ships_and_is_the_one_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    docs = Path(carbon_magic.__file__).parent.parent / "docs" / "methods.md"
    assert main(["methods"]) == 0
    page = capsys.readouterr().out
    assert page == docs.read_text(encoding="utf-8")
    assert methods_page()._repr_mimebundle_()["text/markdown"] + "\n" == page
    listed = re.findall(
        r"^\| ([A-Z][\w ]+) \| ([\d.]+) \| (\d+) \((\d+) to (\d+)\) \| .* \| (.*) \|$", page, re.MULTILINE
    )
    assert len(listed) == 10
    for name, theirs, *figures, said in listed:
        ours = place(name, "user").intensity_g_per_kwh
        shown = [round(ours.best), math.floor(ours.low + 1e-9), math.ceil(ours.high - 1e-9)]
        assert [int(figure) for figure in figures] == shown, name
        assert (said == "within our range") == (ours.low <= float(theirs) <= ours.high), name
    # What it says of live values is what the code does.
    half_width = f"±{MEASURED_HALF:.0%} where the mix".replace("%", " %")
    for words in (
        half_width,
        f"{FACTOR} × direct + {OFFSET_G_PER_KWH:.0f} g/kWh",
        f"below {LEAST_G_PER_KWH:.0f} g/kWh",
    ):
        assert words in page


# A forecast


class Foreseen:
    """A live provider whose forecast says 400 g now, and 200 g from the next 03:00 on."""

    title = "Grid Watch"

    def __init__(self, now: datetime, later: datetime) -> None:
        def quote(begins: datetime, ends: datetime, g_per_kwh: float) -> Quote:
            reading = Reading(g_per_kwh, begins, ends, "lifecycle", True)
            return Quote(reading, Interval.exact(g_per_kwh), Interval.exact(g_per_kwh), now)

        self.zone = Zone("here", ahead=(quote(now, later, 400.0), quote(later, later + timedelta(hours=2), 200.0)))

    def quote(self, _: Place) -> tuple[Zone, str]:
        return self.zone, ""


def test_a_live_providers_forecast_says_what_the_next_night_brings() -> None:
    now = datetime(2026, 11, 25, 12, 0).astimezone()
    later = datetime(2026, 11, 26, 3, 0).astimezone()
    here = place("PL", "user")
    state = LiveState(Foreseen(now, later), "user", here, here)  # type: ignore[arg-type]
    said = (forecast_sentence(state, time(3, 0), 3600.0, now) or "").replace("\u00a0", " ")
    assert "Grid Watch" in said
    assert "1 h from now and from 03:00" in said
    assert "The same run at 03:00 would emit 50 % less (" in said
    assert forecast_sentence(state, time(3, 0), 3 * 3600.0, now) is None, "longer than the forecast"
    assert forecast_sentence(LiveState(None, "", here, here), time(3, 0), 3600.0, now) is None
    assert elsewhere(parse(["SE", "--at", "03:00"]), session(), None, LiveState(None, "", here, here)).hours
