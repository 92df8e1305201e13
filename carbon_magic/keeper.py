"""What is kept of a session while it goes on: its cells' records, and a row of its own with them.

It listens to the books in the sampler's thread and hands immutable rows to the ledger's writer. A cell that runs gets
a row after two seconds, brought up to date at first with every tick and later about every ten seconds, so that of one
that is killed little is lost; a session's row is written along with them, and with each batch of finished cells. While
nothing runs nothing is written: that the process lives is seen by its number. Until a cell's record is written, its
beginning and its end stand in the process's slip, where the cell's own thread notes them.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from carbon_magic.accounts import Accounts
from carbon_magic.describe import Facts
from carbon_magic.ledger.home import HomelessError, home
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.writer import EXIT_S, Writer
from carbon_magic.snapshot import Snapshot
from carbon_magic.windows import Window

if TYPE_CHECKING:
    # Needed with the first row only: loading the extension does not wait for them.
    from carbon_magic.ledger.alive import Process
    from carbon_magic.ledger.row import Ending, Kind, SessionRow
    from carbon_magic.ledger.slip import Slip

KEPT_AFTER_S = 2.0
"""A cell that runs this long gets a row before it ends."""
AGAIN_PART = 0.25
"""That row is brought up to date when the cell has become older by this part,"""
AGAIN_S = 10.0
"""or by so many seconds."""


class Keeper:
    """Keeps what one process's books hold.

    Args:
        accounts: the books. Whoever owns them hands each final record to `record`, calls `ticked` after each tick, and
            `finish` and `close` when they have ended.
        kind: what the session is.
        environ: the process's environment, which says where the ledger is.
        keep_source: whether the text of cells is kept too, asked at each record.
    """

    def __init__(
        self,
        accounts: Accounts,
        kind: Kind,
        environ: Mapping[str, str] = os.environ,
        keep_source: Callable[[], bool] = lambda: False,
    ) -> None:
        self.writer = Writer(accounts.facts.session_id, environ)
        self._leaving: Writer | None = None
        """One that is being closed, with another in its place."""
        self._accounts = accounts
        self._kind: Kind = kind
        self._environ = environ
        self._keep_source = keep_source
        self._process: Process | None = None
        self._cells = 0
        self._fresh = False
        self._written = False
        """Whether the session has a row."""
        self._slip: Slip | None = None
        self._slip_of: str | None = None
        """The session that the slip is of; an empty text where there can be none."""
        self._running: dict[str, float] = {}
        """By record: when the row of a cell that runs is brought up to date again."""
        accounts.on_reset = self.finish
        accounts.on_let_go = self.let_go

    def prepare(self) -> None:
        """Make the slip, so that no cell has to."""
        if self._slip_of is None:
            self._slip_for(self._accounts.facts.session_id)

    # What cells' threads call

    def began(self, window: Window) -> None:
        """Note that a cell begins."""
        slip, facts = self._slip, self._accounts.facts
        if slip is None or self._slip_of != facts.session_id:
            slip = self._slip_for(facts.session_id)
        if slip is not None:
            slip.begin(window, facts.session_id, window.place or self._accounts.place)

    def ended(self, window: Window) -> None:
        """Note that it has ended."""
        if self._slip is not None:
            self._slip.end(window)

    def dropped(self, window: Window) -> None:
        """Note that it leaves no record."""
        if self._slip is not None:
            self._slip.drop(window)

    # What the sampler's thread calls, or whoever has stopped it

    def record(self, record: CellRecord, window: Window) -> None:
        """Keep a final record."""
        self._running.pop(record.record_id, None)
        self._cells += 1
        self._fresh = True
        self._put(record, window)

    def ticked(self, now_s: float) -> None:
        """Write what a tick has brought, if anything."""
        windows = self._accounts.open_windows
        if windows and self._slip is not None:
            self._slip.ticked(now_s)
        for window in windows:
            age_s = now_s - window.opened_s
            if age_s < KEPT_AFTER_S or now_s < self._running.get(window.record_id, 0.0):
                continue
            record = self._accounts.so_far(window)
            if record is not None:
                self._running[window.record_id] = now_s + min(AGAIN_S, AGAIN_PART * age_s)
                self._fresh = True
                self._put(record, window)
        if self._fresh:
            self._fresh = False
            self._put_row("running")
            self.writer.send()

    def let_go(self, window: Window) -> None:
        """Tracking ends before this cell: as far as its record goes it is killed. One without a row leaves none."""
        if self._running.pop(window.record_id, None) is not None:
            record = self._accounts.so_far(window)
            if record is not None:
                self.record(replace(record, status="killed", final=True), window)
                return
        self.dropped(window)

    def finish(self) -> None:
        """The session ends, its books are closed or about to be emptied."""
        if self._cells or self._written:
            self._put_row("ended")
            self.writer.send()
        self._cells, self._fresh, self._written = 0, False, False

    def close(self, timeout_s: float = EXIT_S) -> None:
        """End the writer's thread, once everything is written or the time is over; what is not waits in the slip."""
        leaving = self._leaving
        self.writer.close(timeout_s)
        slip = self._slip
        if slip is None:
            return
        left = [writer.unwritten() for writer in (leaving, self.writer) if writer is not None]
        if any(map(any, left)):
            slip.leave([row for rows, _ in left for row in rows], [record for _, records in left for record in records])
        else:
            slip.remove()
            self._slip, self._slip_of = None, None

    def rest(self) -> Writer:
        """Nothing is measured: the session may be over, and goes on with the next record if it is not. Gives the writer
        to close, in whose place there is another one."""
        if self._written:
            self._put_row("ended")
        leaving = self._leaving = self.writer
        self.writer = Writer(self._accounts.facts.session_id, self._environ)
        return leaving

    def rested(self, leaving: Writer, *, written: bool) -> None:
        """That writer is closed; what it could not write is tried again with what comes next."""
        if not written:
            self.writer.backlog.give_back(leaving.left_over())
        self._leaving = None

    def where(self) -> str:
        """Where the records are, in words."""
        if self.writer.path is not None:
            return f"kept in {self.writer.path}"
        try:
            return f"kept in {home(self._environ)} from the first finished cell on"
        except HomelessError as error:
            return f"in memory only: {error}"

    def _put(self, record: CellRecord, window: Window) -> None:
        self.writer.put_record(record, window.source, keep_source=self._keep_source())

    def _slip_for(self, session_id: str) -> Slip | None:
        """The slip, made or turned to this session; None where there can be none. Two threads may make one each."""
        if self._slip_of == "":
            return None
        from carbon_magic.ledger.slip import Slip

        row = self._row("running")
        try:
            if self._slip is None:
                slip = Slip(home(self._environ), row)
                if self._slip is not None:
                    slip.remove()
                else:
                    self._slip = slip
            else:
                self._slip.session(row)
        except OSError:
            # No folder, or none of the user's own: what ends in the moment before a kill is not kept.
            self._slip_of = ""
            return None
        self._slip_of = session_id
        return self._slip

    def _put_row(self, ending: Ending) -> None:
        self._written = True
        self.writer.put_session(self._row(ending))

    def _row(self, ending: Ending) -> SessionRow:
        if self._process is None:
            from carbon_magic.ledger.alive import this_process

            self._process = this_process()
        now = datetime.now(timezone.utc)
        user = next((self._environ[name] for name in ("LOGNAME", "USER", "USERNAME") if self._environ.get(name)), None)
        return row_of(
            self._accounts.facts,
            self._accounts.snapshot,
            self._process,
            kind=self._kind,
            user=user,
            cells=self._cells,
            ending=ending,
            now=now,
        )


def row_of(
    facts: Facts,
    snapshot: Snapshot,
    process: Process,
    *,
    kind: Kind,
    user: str | None,
    cells: int,
    ending: Ending,
    now: datetime,
) -> SessionRow:
    """A session's row. Where any part was counted without knowing the region, its source is `unknown`."""
    from carbon_magic.ledger.check import utc_text
    from carbon_magic.ledger.row import SessionRow

    own, grams, between, machine = (
        snapshot.energy_j,
        snapshot.emissions_g,
        snapshot.between_cells_j,
        snapshot.machine_energy_j,
    )
    return SessionRow(
        session_id=facts.session_id,
        kind=kind,
        host=process.host,
        boot_id=process.boot_id,
        pid=process.pid,
        process_started=process.started,
        user=user,
        project=facts.project,
        notebook=facts.notebook,
        started_at=facts.started_at,
        heartbeat_at=utc_text(now),
        ended_at=None if ending == "running" else utc_text(now),
        ending=ending,
        duration_s=snapshot.duration_s,
        cells=cells,
        energy_j=own.best if own else None,
        energy_j_low=own.low if own else None,
        energy_j_high=own.high if own else None,
        between_cells_j=between.best if between else None,
        machine_energy_j=machine.best if machine else None,
        emissions_g=grams.best if grams else None,
        emissions_g_low=grams.low if grams else None,
        emissions_g_high=grams.high if grams else None,
        region=snapshot.place.region,
        region_source=snapshot.place.source if snapshot.emissions_known else "unknown",
        scope=facts.scope,
        data_version=snapshot.place.data_version,
        version=facts.version,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
