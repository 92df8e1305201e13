"""Reading the ledger: what is added to what, what is left out, and which sessions still live."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from unit.ledger.stored import FIRST, KWH, SECOND, cell, session, write

from carbon_magic.ledger.alive import SILENT, boot_id, this_process
from carbon_magic.ledger.check import utc_text
from carbon_magic.ledger.read import MAX_OPEN, Reader
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow

TEN = datetime(2026, 11, 20, 10, tzinfo=timezone.utc)


def at(minutes: float) -> str:
    """So many minutes after ten."""
    return utc_text(TEN + timedelta(minutes=minutes))


def short(record_id: str, minutes: float, label: str | None = "x", **changed: Any) -> CellRecord:
    """A cell of 10 minutes with 0.2 kWh (0.16 to 0.24) and 10 g (8 to 12)."""
    grams = {"emissions_g": 10.0, "emissions_g_low": 8.0, "emissions_g_high": 12.0}
    return cell(record_id, **{"started_at": at(minutes), "duration_s": 600.0, "label": label, **grams, **changed})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def spoil(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def test_an_empty_or_missing_folder_holds_nothing(home: Path) -> None:
    for _ in range(2):
        with Reader(home) as reader:
            assert (reader.sessions(), list(reader.records()), reader.top(5), reader.groups("day")) == ([], [], [], [])
            total = reader.totals()
            assert (total.cells, total.energy_j, total.emissions_g, reader.problems) == (0, None, None, [])
        home.mkdir(exist_ok=True)


def test_records_of_all_files_come_in_the_order_in_which_the_cells_began(home: Path) -> None:
    write(home / "ledger-a.db", [session()], [cell(f"a{n}", started_at=at(2 * n)) for n in range(60)])
    odd = [cell(f"b{n}", SECOND, started_at=at(2 * n + 1)) for n in range(60)]
    write(home / "session-b.db", [session(SECOND)], odd)
    with Reader(home) as reader:
        found = [record.record_id for record in reader.records()]
        assert found == [f"{'ab'[n % 2]}{n // 2}" for n in range(120)]
        some = reader.records(since=TEN + timedelta(minutes=10), until=TEN + timedelta(minutes=14))
        assert [record.record_id for record in some] == ["a5", "b5", "a6", "b6"]
        assert {record.session_id for record in reader.records(session_id=SECOND)} == {SECOND}
        assert not list(reader.records(project="other"))
        assert not list(reader.records(notebook="/other.ipynb"))
        assert len(list(reader.records(project="demo", notebook="/home/somebody/a.ipynb"))) == 120


def test_many_equal_times_and_pages_lose_and_double_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carbon_magic.ledger.read.PAGE", 10)
    write(home / "ledger-a.db", [session()], [cell(f"{n:03}") for n in range(100)])
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == [f"{n:03}" for n in range(100)]


def test_more_files_than_are_open_at_a_time(home: Path) -> None:
    for n in range(MAX_OPEN + 5):
        write(home / f"session-{n}.db", [session(f"s{n:02}")], [cell(f"r{n:02}", f"s{n:02}", started_at=at(n))])
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == [f"r{n:02}" for n in range(MAX_OPEN + 5)]
        assert reader.totals().cells == 2 * (MAX_OPEN + 5)
        assert reader.problems == []


def test_a_session_in_two_files_is_taken_from_the_one_that_knows_more(home: Path) -> None:
    early = session(heartbeat_at=at(10), cells=1, energy_j=0.3 * KWH, energy_j_low=0.3 * KWH)
    write(home / "ledger-a.db", [early], [cell("a")])
    write(home / "ledger-b.db", [session(cells=2)], [cell("a"), cell("b")])
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == ["a", "b"]
        assert [row.cells for row in reader.sessions()] == [2]
        assert (reader.totals().cells, reader.totals().energy_j) == (2, reader.totals().energy_j)
        assert reader.totals().energy_j.best == 0.5 * KWH  # type: ignore[union-attr]
        assert len(reader.top(5)) == 2
        assert [group.cells for group in reader.groups("project")] == [2]


def test_sessions_come_newest_first_and_those_that_were_alive_since(home: Path) -> None:
    rows = [session(f"s{n}", started_at=at(n), heartbeat_at=at(60 - 10 * n), project=f"p{n % 2}") for n in range(4)]
    write(home / "ledger-a.db", rows, [])
    with Reader(home) as reader:
        assert [row.session_id for row in reader.sessions()] == ["s3", "s2", "s1", "s0"]
        assert [row.session_id for row in reader.sessions(since=TEN + timedelta(minutes=45))] == ["s1", "s0"]
        assert [row.session_id for row in reader.sessions(project="p0")] == ["s2", "s0"]


def test_the_total_is_of_sessions_with_the_time_between_their_cells(home: Path) -> None:
    write(home / "ledger-a.db", [session(), session(SECOND, started_at=at(-600))], [cell("a"), cell("b")])
    with Reader(home) as reader:
        total = reader.totals()
    assert (total.cells, total.duration_s, total.emissions_known) == (4, 7200.0, True)
    assert total.energy_j is not None
    assert total.emissions_g is not None
    figures = (total.energy_j.low, total.energy_j.best, total.energy_j.high)
    assert figures == pytest.approx((0.8 * KWH, 1.0 * KWH, 1.2 * KWH))
    assert (total.emissions_g.low, total.emissions_g.best, total.emissions_g.high) == (40.0, 56.0, 80.0)
    assert (total.first_at, total.last_at) == (at(-600), at(60))


def test_of_a_session_that_began_before_its_cells_since_then_count(home: Path) -> None:
    records = [short("a", 0), short("b", 20), short("c", 40), short("d", 5, session_id="no row of its own")]
    write(home / "ledger-a.db", [session(), session(SECOND, started_at=at(30))], records)
    with Reader(home) as reader:
        assert reader.totals().energy_j.best == pytest.approx(1.2 * KWH)  # type: ignore[union-attr]
        total = reader.totals(since=TEN + timedelta(minutes=15))
    assert total.cells == 2 + 2
    assert total.energy_j is not None
    assert total.energy_j.best == pytest.approx((0.5 + 2 * 0.2) * KWH)
    assert total.duration_s == 3600.0 + 1200.0


def test_cells_are_grouped_by_name_with_the_largest_first(home: Path) -> None:
    records = [short("a", 0, "fit"), short("b", 20, "fit"), short("c", 40, "plot"), short("d", 50, None)]
    unknown = dict.fromkeys(("energy_j", "energy_j_low", "energy_j_high", "emissions_g"))
    records.append(short("e", 60, "nothing seen", **unknown))
    records.append(short("f", 61, "plot", region_source="unknown", duration_s=1.0))
    records.append(short("g", 62, "plot", session_id=SECOND))
    write(home / "ledger-a.db", [session()], records)
    with Reader(home) as reader:
        groups = {group.name: group for group in reader.groups("label")}
        assert list(groups) == ["plot", "fit", None, "nothing seen"]
        fit = groups["fit"]
        assert (fit.cells, fit.duration_s, fit.first_at, fit.last_at) == (2, 1200.0, at(0), at(20))
        assert fit.energy_j is not None
        figures = (fit.energy_j.low, fit.energy_j.best, fit.energy_j.high)
        assert figures == pytest.approx((0.32 * KWH, 0.4 * KWH, 0.48 * KWH))
        assert fit.emissions_g is not None
        assert (fit.emissions_g.low, fit.emissions_g.best, fit.emissions_g.high) == (16.0, 20.0, 24.0)
        assert (fit.emissions_known, groups["plot"].emissions_known) == (True, False)
        assert (groups["nothing seen"].energy_j, groups["nothing seen"].cells) == (None, 1)
        assert [group.cells for group in reader.groups("project")] == [7]
        assert [group.cells for group in reader.groups("label", since=TEN + timedelta(minutes=45))] == [2, 1, 1]
        with pytest.raises(ValueError, match="not by 'colour'"):
            reader.groups("colour")  # type: ignore[arg-type]
        assert reader.problems == []


def test_cells_below_resolution_are_counted_in_each_group(home: Path) -> None:
    below = {"below_resolution": True}
    records = [
        short("a", 0, "fit", **below),
        short("b", 20, "fit"),
        short("c", 40, "plot", concurrent=True, **below),
        short("d", 45, "plot", concurrent=True, **below),
        short("e", 60, None),
    ]
    write(home / "ledger-a.db", [], records)
    with Reader(home) as reader:
        assert {one.name: one.below_resolution for one in reader.groups("label")} == {"fit": 1, "plot": 2, None: 0}
    # A file of a version that did not know them.
    with sqlite3.connect(home / "ledger-a.db") as connection:
        connection.execute("ALTER TABLE records DROP COLUMN below_resolution")
    connection.close()
    with Reader(home) as reader:
        assert [(one.cells, one.below_resolution) for one in reader.groups("project")] == [(5, 0)]
        assert reader.problems == []


def test_days_are_the_users_own_and_in_order(home: Path) -> None:
    write(home / "ledger-a.db", [session()], [short("a", 14 * 60), short("b", 15 * 60), short("c", 13 * 60 + 29)])
    script = f"from carbon_magic.ledger.read import Reader\nfrom pathlib import Path\nr = Reader(Path({str(home)!r}))"
    script += "\nprint([(g.name, g.cells) for g in r.groups('day')])"
    for zone, expected in (
        ("UTC0", [("2026-11-20", 1), ("2026-11-21", 2)]),
        ("IST-5:30", [("2026-11-21", 3)]),
        ("EST5", [("2026-11-20", 3)]),
    ):
        run = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == str(expected).replace('"', "'")


def test_cells_that_overlap_are_counted_once(home: Path) -> None:
    both = {"concurrent": True}
    records = [
        short("a", 0, **both),
        short("b", 5, **both),  # half of it is in a's time
        short("c", 6, duration_s=60.0, **both),  # all of it is
        short("d", 30, **both),  # that none of them reaches
        short("e", 0, session_id=SECOND, **both),  # another kernel's
    ]
    write(home / "ledger-a.db", [], records)
    with Reader(home) as reader:
        (group,) = reader.groups("label")
        assert reader.totals().energy_j == group.energy_j
    assert (group.cells, group.duration_s) == (5, pytest.approx(600.0 + 300.0 + 600.0 + 600.0))
    assert group.energy_j is not None
    assert group.energy_j.best == pytest.approx((0.2 + 0.1 + 0.0 + 0.2 + 0.2) * KWH)
    assert group.energy_j.low == pytest.approx(0.8 * group.energy_j.best)


def test_the_dearest_records_first(home: Path) -> None:
    for n, name in enumerate("ab"):
        energies = [float(10 * m + n) for m in range(20)]
        made = [cell(f"{name}{e}", started_at=at(e), energy_j=e, energy_j_low=0.0) for e in energies]
        write(home / f"ledger-{name}.db", [], [*made, cell(f"{name}-unknown", energy_j=None)])
    with Reader(home) as reader:
        assert [record.energy_j for record in reader.top(3)] == [191.0, 190.0, 181.0]
        assert len(reader.top(100)) == 40
        assert [record.energy_j for record in reader.top(3, since=TEN + timedelta(minutes=190.5))] == [191.0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("energy_j", "much"),
        ("energy_j", float("inf")),
        ("energy_j", 1e300),
        ("energy_j_low", -1.0),
        ("energy_j_high", 0.0),
        ("energy_j", b"\x00\xff"),
        ("duration_s", None),
        ("duration_s", -1.0),
        ("emissions_g_high", "z"),
        ("started_at", None),
        ("started_at", "yesterday" * 10),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_counted(home: Path, column: str, value: Any) -> None:
    path = write(home / "ledger-a.db", [session()], [short("good", 0), short("bad", 0)])
    spoil(path, f"UPDATE records SET {column} = ? WHERE record_id = 'bad'", value)
    with Reader(home) as reader:
        assert [group.cells for group in reader.groups("project")] == [1]
        assert [record.record_id for record in reader.top(10)] == ["good"]
        assert [record.record_id for record in reader.records()] == ["good"]
        assert reader.problems == ["ledger-a.db: 1 row of its records makes no sense, left out"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("label", "x" * 20_000),
        ("status", "fine"),
        ("sensors", "[" * 5000),
        ("sensors", '{"a": 1}'),
        ("sensors", None),
        ("final", 7),
        ("pue", None),
        ("execution_count", "one"),
        ("cpu_provenance", "guessed"),
    ],
)
def test_other_columns_are_checked_where_whole_records_are_asked_for(home: Path, column: str, value: Any) -> None:
    path = write(home / "ledger-a.db", [session()], [short("good", 0), short("bad", 0)])
    spoil(path, f"UPDATE records SET {column} = ? WHERE record_id = 'bad'", value)
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == ["good"]
        assert reader.problems == ["ledger-a.db: 1 row of its records makes no sense, left out"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("energy_j", "x"),
        ("cells", -1),
        ("cells", "x"),
        ("started_at", None),
        ("energy_j_low", 1e17),
        ("duration_s", "x"),
    ],
)
def test_a_session_that_makes_no_sense_is_left_out(home: Path, column: str, value: Any) -> None:
    path = write(home / "ledger-a.db", [session(), session(SECOND)], [])
    spoil(path, f"UPDATE sessions SET {column} = ? WHERE session_id = ?", value, SECOND)
    with Reader(home) as reader:
        assert [row.session_id for row in reader.sessions()] == [FIRST]
        assert reader.totals().energy_j.best == 0.5 * KWH  # type: ignore[union-attr]
        assert reader.problems == ["ledger-a.db: 1 row of its sessions makes no sense, left out"]


def test_files_that_cannot_be_read_are_named_and_the_others_read(home: Path) -> None:
    write(home / "ledger-a.db", [session()], [cell()])
    (home / "ledger-broken.db").write_bytes(b"text " * 1000)
    newer = write(home / "ledger-newer.db", [session(SECOND)], [cell("b", SECOND)])
    spoil(newer, "PRAGMA user_version = 3001")
    (home / "ledger-other.db").touch()
    spoil(home / "ledger-other.db", "CREATE TABLE things (id)")
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == ["a"]
        assert reader.totals().cells == 2
        said = "\n".join(sorted(reader.problems))
    assert "ledger-broken.db is broken" in said
    assert "ledger-newer.db cannot be read: it is of version 3.1" in said
    assert "ledger-other.db cannot be read: it holds no ledger" in said


def test_reading_changes_no_byte(home: Path) -> None:
    path = write(home / "ledger-a.db", [session(ending="running", ended_at=None)], [cell()])
    before = path.read_bytes()
    with Reader(home) as reader:
        assert (len(reader.sessions()), len(list(reader.records())), reader.totals().cells) == (1, 1, 2)
    assert path.read_bytes() == before
    assert [found.name for found in home.iterdir()] == ["ledger-a.db"]


def mine(**changed: Any) -> SessionRow:
    """The row of a session of this very process, which is running."""
    here = this_process()
    live = {"host": here.host, "boot_id": here.boot_id, "pid": here.pid, "process_started": here.started}
    return session(**{**live, "ending": "running", "ended_at": None, **changed})


def ending(home: Path, row: SessionRow) -> tuple[str, str]:
    """How a session stands, and the cell that it ran."""
    path = write(home / "ledger-a.db", [], [cell(status="running", final=False)])
    spoil(path, "DELETE FROM sessions")
    write(path, [row], [])
    with Reader(home) as reader:
        (record,) = reader.records()
        assert record.final is (record.status == "killed")
        (found,) = reader.sessions()
        assert found.ended_at == (None if found.ending == "running" else found.heartbeat_at)
        return found.ending, record.status


def test_a_process_that_lives_is_running_however_long_it_is_silent(home: Path) -> None:
    assert ending(home, mine()) == ("running", "running")


def test_a_process_that_is_gone_was_killed_and_so_was_its_cell(home: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    now = utc_text(datetime.now(timezone.utc))
    assert ending(home, mine(pid=child.pid, heartbeat_at=now)) == ("killed", "killed")


def test_a_number_that_another_process_has_now_is_no_life(home: Path) -> None:
    assert ending(home, mine(process_started="1", heartbeat_at=utc_text(datetime.now(timezone.utc))))[0] == "killed"


@pytest.mark.skipif(sys.platform != "linux", reason="lives of the machine are told on Linux")
def test_in_another_life_of_this_machine_nothing_lives(home: Path) -> None:
    assert ending(home, mine(boot_id="another/4026531836")) == ("killed", "killed")


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_in_a_container_beside_this_one_only_a_long_silence_tells(home: Path) -> None:
    beside = (boot_id() or "").partition("/")[0] + "/17"
    now = datetime.now(timezone.utc)
    assert ending(home, mine(boot_id=beside, heartbeat_at=utc_text(now), pid=1)) == ("running", "running")
    silent = utc_text(now - SILENT - timedelta(hours=1))
    assert ending(home, mine(boot_id=beside, heartbeat_at=silent, pid=1)) == ("ended", "killed")


def test_another_machines_session_is_not_said_to_be_killed(home: Path) -> None:
    now = datetime.now(timezone.utc)
    assert ending(home, mine(host="elsewhere", heartbeat_at=utc_text(now)))[0] == "running"
    silent = utc_text(now - SILENT - timedelta(hours=1))
    assert ending(home, mine(host="elsewhere", heartbeat_at=silent))[0] == "ended"


def test_a_cell_whose_session_ended_under_it_was_killed(home: Path) -> None:
    assert ending(home, replace(mine(), ending="ended", ended_at=mine().heartbeat_at)) == ("ended", "killed")


@pytest.mark.parametrize("pages", [0, 1])
def test_a_file_that_was_only_begun_is_no_problem(tmp_path: Path, pages: int) -> None:
    """A full disk may have been the reason."""
    path = tmp_path / "ledger-x.db"
    path.touch()
    if pages:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    assert (path.stat().st_size > 0) == bool(pages)
    with Reader(tmp_path) as reader:
        assert (reader.sessions(), list(reader.records()), reader.problems) == ([], [], [])
