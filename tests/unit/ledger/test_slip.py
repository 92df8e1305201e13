"""What a killed process had noted and not written is taken into the ledger, once, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from unit.ledger.stored import session
from unit.views.made_records import record as made

from carbon_magic.grid.intensity import place
from carbon_magic.ledger.alive import this_process
from carbon_magic.ledger.home import host, own_file
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.slip import MAX_SLIPS, SLOTS, Slip, abandoned
from carbon_magic.ledger.store import Store
from carbon_magic.options import CellOptions
from carbon_magic.power.neighbours import process_started
from carbon_magic.windows import Window

BEGUN_S = datetime(2026, 11, 1, 12, tzinfo=timezone.utc).timestamp()
PLACE = place("FR", "user")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this user's runtime files."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"carbon-magic-{os.getuid()}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def row(folder: Path) -> SessionRow:
    """Of a process that has ended."""
    done = subprocess.run(
        [sys.executable, "-c", "from carbon_magic.ledger.alive import this_process; print(*this_process()[2:])"],
        capture_output=True,
        text=True,
        check=True,
    )
    pid, started = done.stdout.split()
    at = datetime.fromtimestamp(BEGUN_S, timezone.utc).isoformat(timespec="milliseconds")
    here = this_process()
    return session(
        "a" * 32,
        kind="kernel",
        host=host(),
        boot_id=here.boot_id,
        pid=int(pid),
        process_started=started,
        started_at=at,
        heartbeat_at=at,
        cells=0,
        ending="running",
        ended_at=None,
    )


def slip_of(row: SessionRow, home: Path, folder: Path) -> Slip:
    """A slip as the process of `row` would have left it."""
    slip = Slip(home, row)
    (path,) = folder.glob(f"cells-{os.getpid()}-*")
    path.rename(path.with_name(f"cells-{row.pid}-{row.process_started}-x"))
    return slip


def cell(slip: Slip, number: int, seconds: float | None, status: Status = "ok", label: str | None = None) -> Window:
    window = Window(number, f"cell-{number}", CellOptions(label), begun_at_s=BEGUN_S + number, opened_s=float(number))
    slip.begin(window, "a" * 32, PLACE)
    if seconds is not None:
        window.status, window.closed_s = status, number + seconds
        slip.end(window)
    return window


def read(home: Path) -> tuple[list[SessionRow], list[CellRecord]]:
    with Reader(home) as reader:
        found = reader.sessions(), list(reader.records())
        assert reader.problems == []
    return found


def test_ended_cells_are_kept_without_energy_and_the_running_one_is_killed(
    row: SessionRow, home: Path, folder: Path
) -> None:
    slip = slip_of(row, home, folder)
    cell(slip, 1, 0.25, label='a "fit"\twith\nlines ü')
    cell(slip, 2, 0.5, "error")
    slip.drop(cell(slip, 3, 0.5))
    cell(slip, 4, None)
    slip.ticked(5.5)
    for _ in range(2):
        (kept,), records = read(home)
        assert [(r.execution_count, r.cell_id, r.status, r.duration_s, r.label) for r in records] == [
            (1, "cell-1", "ok", 0.25, 'a "fit"\twith\nlines ü'),
            (2, "cell-2", "error", 0.5, None),
            (4, "cell-4", "killed", 1.5, None),
        ]
        assert all(r.final and r.energy_j is None and r.emissions_g is None for r in records)
        assert {(r.region, r.region_source, r.started_at[:16]) for r in records} == {("FR", "user", "2026-11-01T12:00")}
        assert (kept.ending, kept.cells) == ("killed", 2)
        assert kept.ended_at == kept.heartbeat_at == "2026-11-01T12:00:05.500+00:00"
    assert not list(folder.iterdir())


def test_what_the_ledger_has_stays_and_what_it_knew_of_a_running_cell_is_carried_on(
    row: SessionRow, home: Path, folder: Path
) -> None:
    slip = slip_of(row, home, folder)
    windows = [cell(slip, 1, 0.25), cell(slip, 2, 8.0), cell(slip, 3, None)]
    at = row.started_at
    figures = made(
        session_id=row.session_id,
        started_at=at,
        duration_s=4.0,
        status="running",
        final=False,
        cpu_seconds=3.0,
        machine_energy_j=20_000.0,
        machine_energy_j_low=18_000.0,
        machine_energy_j_high=25_000.0,
    )
    store = Store.open(own_file(home, row.session_id, network=False), network=False)
    store.put_session(replace(row, cells=1))
    for window in windows:
        store.put_record(replace(figures, record_id=window.record_id))
    final = replace(figures, record_id=windows[0].record_id, status="ok", final=True)
    store.put_record(final)
    store.commit()
    store.close()
    (kept,), records = read(home)
    first, second, third = (next(r for r in records if r.record_id == window.record_id) for window in windows)
    assert first == final
    assert (second.status, second.duration_s, second.energy_j_low) == ("ok", 8.0, figures.energy_j_low)
    for name in ("energy_j", "energy_j_high", "machine_energy_j", "cpu_energy_j", "emissions_g", "cpu_seconds"):
        assert getattr(second, name) == pytest.approx(2.0 * getattr(figures, name)), name
    assert (second.intensity_high, second.share) == (figures.intensity_high, figures.share)
    assert third == replace(figures, record_id=third.record_id, execution_count=3, status="killed", final=True)
    assert kept.cells == 2


def test_what_was_forgotten_does_not_come_back(row: SessionRow, home: Path, folder: Path) -> None:
    slip = slip_of(row, home, folder)
    cell(slip, 1, 0.25)
    cell(slip, 20, 0.25)
    store = Store.open(own_file(home, row.session_id, network=False), network=False)
    heard = datetime.fromtimestamp(BEGUN_S + 15, timezone.utc).isoformat(timespec="milliseconds")
    store.put_session(replace(row, cells=1, heartbeat_at=heard))
    store.commit()
    store.close()
    assert [record.execution_count for record in read(home)[1]] == [20]


def test_of_more_cells_than_slots_the_last_ones_are_known(row: SessionRow, home: Path, folder: Path) -> None:
    slip = slip_of(row, home, folder)
    for number in range(1, SLOTS + 6):
        cell(slip, number, 0.5, label="x" * 5000 if number == SLOTS else None)
    records = read(home)[1]
    assert [record.execution_count for record in records] == list(range(6, SLOTS + 6))
    assert next(r.label for r in records if r.execution_count == SLOTS) == "x" * 60


def test_what_could_not_be_written_before_the_end_is_there_with_all_its_figures(
    row: SessionRow, home: Path, folder: Path
) -> None:
    slip = slip_of(row, home, folder)
    window = cell(slip, 1, 0.5)
    record = replace(made(session_id=row.session_id), record_id=window.record_id, final=True)
    ended = replace(row, cells=1, ending="ended", ended_at="2026-11-01T13:00:00.000+00:00")
    ended = replace(ended, heartbeat_at="2026-11-01T13:00:00.000+00:00")
    slip.leave([ended], [record])
    assert read(home) == ([ended], [record])


def test_a_process_in_which_nothing_ran_leaves_nothing(row: SessionRow, home: Path, folder: Path) -> None:
    slip_of(row, home, folder)
    assert read(home) == ([], [])
    assert not list(folder.iterdir())


def test_the_slip_of_a_live_process_and_of_another_ledger_are_left_alone(
    row: SessionRow, home: Path, folder: Path, tmp_path: Path
) -> None:
    cell(slip_of(row, tmp_path / "other", folder), 1, 0.5)
    pid = os.getpid()
    living = Slip(home, replace(row, pid=pid, process_started=process_started(pid)))
    cell(living, 1, 0.5)
    assert len(abandoned()) == 1
    assert read(home) == ([], [])
    assert len(list(folder.iterdir())) == 2
    assert len(read(tmp_path / "other")[1]) == 1
    living.remove()
    assert not list(folder.iterdir())


def test_where_they_can_never_be_taken_in_few_are_kept(row: SessionRow, home: Path, folder: Path) -> None:
    home.write_text("a file in the place of the folder", encoding="ascii")
    for number in range(MAX_SLIPS + 5):
        slip = slip_of(row, home, folder)
        cell(slip, number, 0.5)
        (path,) = folder.glob(f"cells-{row.pid}-*-x")
        path = path.rename(path.with_name(f"cells-{row.pid}-{row.process_started}-{number:02}"))
        os.utime(path, (number, number))
    living = Slip(home, row)
    assert len(abandoned()) == MAX_SLIPS
    assert min(path.name[-2:] for path in abandoned()) == "05"
    living.remove()
    with Reader(home.with_name("other")) as reader:
        assert reader.problems == []


def test_a_slip_that_makes_no_sense_is_left_out(row: SessionRow, home: Path, folder: Path) -> None:
    slip = slip_of(row, home, folder)
    cell(slip, 1, 0.5)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for broken in (b"", b"\0" * 100, whole[:5000], b"{" * 9000, whole.replace(b"\t", b" ")):
        path.write_bytes(broken)
        assert read(home)[1] == []
        path.write_bytes(whole)
    path.write_bytes(whole.replace(b"\t1.0\t", b"\tnan\t", 1).replace(b"ok 1.5", b"ok inf"))
    assert read(home)[1] == []
    path.write_bytes(b"")
    assert read(home)[1] == []
    assert path.exists()
    os.utime(path, (0.0, 0.0))
    assert read(home)[1] == []
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_where_no_slip_can_be_made_cells_are_kept_as_ever(folder: Path, row: SessionRow, home: Path) -> None:
    folder.mkdir(mode=0o500)
    with pytest.raises(OSError, match="ermission"):
        Slip(home, row)
