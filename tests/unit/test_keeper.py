"""What is kept of a session while it goes on, on a made-up machine by hand."""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines.books import FACTS, PACKAGE, Books

from carbon_magic.keeper import Keeper
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow
from carbon_magic.power.channel import Channel
from carbon_magic.windows import Window


class Kept(Books):
    """Books whose ledger is looked at."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "FR")
        self.home = folder / "kept"
        self.keep_source = False
        environ = {"CARBON_MAGIC_HOME": str(self.home), "USER": "ann"}
        self.keeper = Keeper(self.accounts, "kernel", environ, lambda: self.keep_source)
        self.accounts.on_record = self.keeper.record

    def run(self, seconds: int, watts: float, own: float = 0.0) -> None:
        for _ in range(seconds):
            self.rig.run(1.0, {PACKAGE: watts}, own=own)
            self.rig.tick()
            self.keeper.ticked(self.rig.now_s)

    def cell(self, seconds: int, watts: float = 100.0, text: str | None = None) -> Window:
        window = self.open()
        window.source = text
        self.run(seconds, watts, own=1.0)
        self.close(window)
        self.run(1, 10.0)
        return window

    def end(self) -> None:
        self.accounts.end()
        self.keeper.finish()
        self.keeper.close(10.0)

    def read(self) -> tuple[list[SessionRow], list[CellRecord]]:
        assert self.keeper.writer.flush(10.0)
        with Reader(self.home) as reader:
            found = reader.sessions(), list(reader.records())
            assert reader.problems == []
        return found


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Kept]:
    books = Kept(tmp_path)
    yield books
    books.keeper.close(10.0)


def test_a_session_in_which_nothing_ran_leaves_nothing(books: Kept) -> None:
    books.run(30, 10.0)
    books.end()
    assert not books.home.exists()


def test_each_finished_cell_is_kept_as_it_is_in_the_books_and_the_session_with_it(books: Kept) -> None:
    for watts in (50.0, 90.0):
        books.cell(1, watts)
    (row,), records = books.read()
    assert records == list(books.accounts.records)
    assert (row.session_id, row.kind, row.project, row.notebook) == ("session", "kernel", "project", "a.ipynb")
    assert (row.pid, row.host, row.user, row.ending, row.ended_at) == (
        os.getpid(),
        platform.node(),
        "ann",
        "running",
        None,
    )
    assert (row.cells, row.duration_s) == (2, pytest.approx(4.0))
    snapshot = books.accounts.snapshot
    assert snapshot.energy_j is not None
    assert (row.energy_j_low, row.energy_j, row.energy_j_high) == (
        snapshot.energy_j.low,
        snapshot.energy_j.best,
        snapshot.energy_j.high,
    )
    assert row.energy_j == pytest.approx(160.0 + 4 * 32 * 0.3)
    assert row.between_cells_j == pytest.approx(2 * (10.0 + 32 * 0.3))
    assert row.region_source == "user"


def test_at_rest_nothing_is_written_and_at_the_end_the_time_since_is_there(books: Kept) -> None:
    books.cell(1)
    before = books.read()[0][0]
    books.run(100, 10.0)
    assert books.read()[0] == [before]
    books.end()
    ((row,), records) = books.read()
    assert (row.ending, row.ended_at, len(records)) == ("ended", row.heartbeat_at, 1)
    assert row.between_cells_j == pytest.approx(101 * (10.0 + 32 * 0.3))


def test_a_running_cell_has_a_row_from_two_seconds_on_and_its_final_one_takes_its_place(books: Kept) -> None:
    window = books.open()
    books.run(1, 100.0, own=1.0)
    assert not books.home.exists()
    books.run(1, 100.0, own=1.0)
    ((row,), (running,)) = books.read()
    assert (running.status, running.final, running.duration_s) == ("running", False, pytest.approx(2.0))
    assert running.energy_j == pytest.approx(2 * (100.0 + 32 * 0.3))
    assert (row.cells, row.energy_j) == (0, pytest.approx(running.energy_j))
    books.run(1, 100.0, own=1.0)
    books.close(window)
    books.run(1, 10.0)
    ((row,), (final,)) = books.read()
    assert (final.record_id, final.status, final.final) == (running.record_id, "ok", True)
    assert (final.duration_s, row.cells) == (pytest.approx(3.0), 1)


def test_a_long_cell_is_brought_up_to_date_at_first_with_each_tick_then_every_ten_seconds(books: Kept) -> None:
    books.open()
    ages = [0]
    for _ in range(100):
        books.run(1, 100.0, own=1.0)
        ages += [round(record.duration_s) for record in books.read()[1] if round(record.duration_s) != ages[-1]]
    assert ages[:9] == [0, 2, 3, 4, 5, 7, 9, 12, 15]
    assert [later - earlier for earlier, later in itertools.pairwise(ages)][-4:] == [10, 10, 10, 10]


def test_a_cell_that_outlives_its_session_is_killed_in_the_ledger(books: Kept) -> None:
    books.open()
    books.run(5, 100.0, own=1.0)
    books.end()
    ((row,), (record,)) = books.read()
    assert (row.ending, row.cells, record.status, record.final) == ("ended", 1, "killed", True)
    assert record.energy_j == pytest.approx(5 * (100.0 + 32 * 0.3))


def test_a_short_cell_that_outlives_its_session_leaves_no_record(books: Kept) -> None:
    books.open()
    books.run(1, 100.0, own=1.0)
    books.end()
    assert not books.home.exists()


def test_a_reset_ends_the_row_of_one_session_with_all_that_it_used_and_begins_another(books: Kept) -> None:
    books.cell(1, 50.0)
    books.run(2, 20.0, own=1.0)
    books.accounts.reset(FACTS._replace(session_id="next"), books.rig.now_s)
    books.run(1, 10.0)
    books.cell(1, 30.0)
    newest, oldest = sorted(books.read()[0], key=lambda row: row.session_id)
    assert (oldest.session_id, oldest.ending, oldest.cells) == ("session", "ended", 1)
    assert oldest.energy_j == pytest.approx(50.0 + 10.0 + 2 * 20.0 + 4 * 32 * 0.3)
    assert (newest.session_id, newest.ending, newest.cells) == ("next", "running", 1)
    assert newest.energy_j == pytest.approx(10.0 + 30.0 + 10.0 + 3 * 32 * 0.3)


def test_a_cell_that_runs_across_a_reset_is_kept_once_in_the_new_session(books: Kept) -> None:
    window = books.open()
    books.run(4, 100.0, own=1.0)
    books.accounts.reset(FACTS._replace(session_id="next"), books.rig.now_s)
    books.run(2, 100.0, own=1.0)
    books.close(window)
    books.run(1, 10.0)
    (record,) = books.read()[1]
    assert (record.session_id, record.status, record.duration_s) == ("next", "ok", pytest.approx(6.0))


def test_a_cells_text_is_kept_only_where_that_is_set(books: Kept) -> None:
    books.cell(1, text="secret = 1")
    books.keep_source = True
    books.cell(1, text="public = 2")
    assert books.keeper.writer.flush(10.0)
    with Reader(books.home) as reader:
        found = list(reader.kept())
    assert [kept.source for kept in found] == [None, "public = 2"]
    assert all(kept.source_sha256 is not None and len(kept.source_sha256) == 64 for kept in found)


def test_where_the_region_was_not_known_at_first_the_sessions_grams_are_not(books: Kept) -> None:
    from carbon_magic.grid.intensity import place

    known, books.accounts.place = books.accounts.place, place(None, "unknown")
    books.cell(1)
    books.accounts.place = known
    books.cell(1)
    ((row,), records) = books.read()
    assert (row.region, row.region_source) == ("FR", "unknown")
    assert [record.region_source for record in records] == ["unknown", "user"]
    with Reader(books.home) as reader:
        assert not reader.totals().emissions_known


def unseen(books: Kept, monkeypatch: pytest.MonkeyPatch, seen_s: int, unseen_s: int) -> CellRecord:
    """The record of a last cell whose end no sensor has seen when tracking stops."""
    books.run(2, 10.0)
    window = books.open()
    books.run(seen_s, 100.0, own=1.0)
    monkeypatch.setattr(Channel, "due", lambda channel, now_s, *, extra: False)
    monkeypatch.setattr(books.rig.sampler._reader, "cheap", ())
    books.rig.run(unseen_s, {PACKAGE: 100.0}, own=1.0)
    books.close(window)
    books.rig.tick()
    assert not books.accounts.records
    books.end()
    ((row,), (record,)) = books.read()
    assert (row.ending, row.cells) == ("ended", 1)
    assert (record.status, record.final, record.duration_s) == ("ok", True, pytest.approx(seen_s + unseen_s))
    return record


def test_the_last_cell_is_kept_and_what_the_sensors_did_not_see_of_it_widens_its_range(
    books: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = unseen(books, monkeypatch, 4, 1)
    # The fifth second goes on as the fourth: perhaps with nothing, perhaps with all that the sensors can show.
    assert record.energy_j == pytest.approx(5 * (100.0 + 32 * 0.3))
    assert record.energy_j_low is not None
    assert record.energy_j_high is not None
    assert record.energy_j_low <= 4 * (100.0 + 32 * 0.3)
    assert record.energy_j_high > 6 * (100.0 + 32 * 0.3)


def test_a_last_cell_that_no_sensor_has_seen_is_unknown_and_not_nothing(
    books: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = unseen(books, monkeypatch, 0, 3)
    assert (record.energy_j, record.machine_energy_j, record.emissions_g) == (None, None, None)
