"""One kernel's session: it owns the sampler and the books, and tells whoever is to know what they hold.

What its cells' threads do is done by `cells`. Measuring starts when the extension is
loaded (or, with tracking off, when a cell begins with `%%carbon`) and leaves nothing behind when it is unloaded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from carbon_magic.accounts import Accounts
from carbon_magic.cells import Cells
from carbon_magic.config import CarbonMagic
from carbon_magic.describe import Facts, new_facts, project_here
from carbon_magic.grid import table as regions_table
from carbon_magic.grid.own import Said
from carbon_magic.keeper import Keeper
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.writer import EXIT_S
from carbon_magic.live import LiveSwitch
from carbon_magic.meter import Meter
from carbon_magic.placing import GRID, Placing
from carbon_magic.power.allotment import ScopeOption
from carbon_magic.power.sampler import ANSWER_S, Pace, Sampler
from carbon_magic.run import feed
from carbon_magic.snapshot import Place, Snapshot
from carbon_magic.switch import Switch
from carbon_magic.windows import Window

if TYPE_CHECKING:
    from carbon_magic.comm.link import Link
    from carbon_magic.power.candidate import Candidate
    from carbon_magic.views.findings import Findings

LAST_S = 0.3
"""When it ends, it waits this long at most for readings that the last cells still need."""

SETTINGS = [
    *(*GRID, "pue", "region_note", "cloud_metadata"),
    *("scope", "project", "interval_s", "rest_interval_s", "power_source", "power_source_host"),
]
"""What the session looks at again when it is set."""

_current: Session | None = None


class Session:
    """Tracking in this kernel.

    Args:
        config: the settings, which may change at any time.
        environ: the process's environment.

    Raises:
        UnknownRegion: `CARBON_MAGIC_REGION` names no region.
        UnknownProvider: `CARBON_MAGIC_LIVE` names no provider of live intensities.
    """

    def __init__(self, config: CarbonMagic, environ: Mapping[str, str] | None = None) -> None:
        self.config = config
        self.environ = os.environ if environ is None else environ
        self.loaded_bytes: int | None = None
        """Memory that was added to the process while the extension was loaded."""
        self.trouble: str | None = None
        """The last error that was kept from the notebook."""
        self.link: Link | None = None
        """What a front end is told by, in a kernel that has one."""
        self._pid = os.getpid()
        self._meter = Meter(self.environ, _scope(config))
        if config.power_source:
            self._meter.set_source(config.power_source, config.power_source_host)
        order = feed.order()
        said = Said(region=order.region if order is not None else None)
        self._placing = Placing(config, self.environ, self._meter.machine.root, said)
        self._accounts = Accounts(self._facts(), self._placing.place(), self._meter.part)
        self._accounts.on_record = self._recorded
        self.live = LiveSwitch(self._accounts, self.environ, lambda: self.config.live)
        """Live intensities, where the user has named a provider of them."""
        config.observe(lambda _: self.live.refresh(forget_said=True), names=["live"])
        config.observe(self._keep_live, names=["keep_live"])
        self._feed = feed.Feed(order.sink) if order is not None else None
        self._keeper = Keeper(self._accounts, "kernel", self.environ, lambda: bool(config.keep_source))
        self._switch = Switch(
            self._meter,
            self._accounts,
            pace=self._pace,
            on_tick=self._ticked,
            watched=lambda: self.link is not None and self.link.watched,
            prepare=self._keeper.prepare,
        )
        self.cells = Cells(  # what IPython's events call
            self._meter, self._accounts, self._keeper, self._placing, self._switch, at_once=self._feed is not None
        )
        config.observe(self._configured, names=SETTINGS)
        self._placing.whereabouts.ask_cloud(config.cloud_metadata, self._moved)

    # Switching

    @property
    def tracking(self) -> bool:
        """Whether every cell is tracked."""
        return self._switch.tracking

    def on(self) -> None:
        """Track every cell from the next one on."""
        self._switch.on()
        self._tell_link()

    def off(self) -> None:
        """Track no more cells, but those that begin with `%%carbon`. The one that runs is finished first."""
        self._switch.off()
        self._tell_link()

    def track(self, on: bool) -> None:
        """Switch tracking and the setting with it, as `%carbon on` and `%carbon off` do."""
        self.config.auto_track = on
        if on != self.tracking:
            (self.on if on else self.off)()

    def close(self) -> None:
        """End it all: the threads, the descriptors, the file among other kernels' files. What was measured is kept."""
        self._switch.tracking = False
        self.config.unobserve_all()
        if os.getpid() != self._pid:
            return
        deadline_s = time.monotonic() + EXIT_S
        self.settle(LAST_S)
        self._switch.stop()
        self.live.close()
        self._keeper.finish()
        self._keeper.close(max(0.0, deadline_s - time.monotonic()))
        if self._feed is not None:
            self._feed.close()

    def reset(self) -> None:
        """Forget the records and totals of this session and begin a new one."""
        self._accounts.reset(self._facts(), time.monotonic())
        self.settle(ANSWER_S)
        self._tell_link()

    # What magics and views ask

    def result(self, window: Window) -> CellRecord:
        """A cell's record: final where an extra reading came in time, else by its power and duration."""
        if window.record is None:
            self._switch.poke()
        if window.record is not None:
            return window.record
        return self._accounts.estimate(window)

    def snapshot(self) -> Snapshot:
        """The session as it is now, with an extra reading where it comes in time."""
        self._switch.poke()
        return self._accounts.snapshot

    def settle(self, timeout_s: float) -> bool:
        """Wait until every cell that has ended is final. False where the time was too short."""
        return self._switch.settle(timeout_s)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that is settled stands in the ledger. False where the time was too short."""
        return self._keeper.writer.flush(timeout_s)

    def findings(self) -> Findings:
        """What the doctor reports."""
        from carbon_magic import diagnosis

        meter, sampler = self._meter, self._meter.sampler
        problems = []
        if sampler is not None:
            sampler.poke()
            problems = sampler.problems()
        problems += self.live.problems()
        troubles = (self.trouble, meter.neighbours and meter.neighbours.problem, meter.problem)
        problems += [trouble for trouble in troubles if trouble]
        problems += [*self._keeper.writer.problems(), *regions_table.problems()]
        return diagnosis.findings_of(
            meter,
            meter.candidates(),
            tracking=self.tracking,
            place=self.live.state().place,
            problems=problems,
            records=self._keeper.where(),
            loaded_bytes=self.loaded_bytes,
        )

    @property
    def sampler(self) -> Sampler | None:
        """The sampler, while there is one."""
        return self._meter.sampler

    @property
    def place(self) -> Place:
        return self._accounts.place

    def set_region(self, asked: str) -> Place:
        """From now on this is the grid; what was counted before keeps its own.

        Raises:
            UnknownRegion: there is no such region; the nearest are named.
        """
        return self.say(Said(region=asked))

    def say(self, said: Said | None) -> Place:
        """What a magic says of the grid, from now on; None takes back all that magics said before.

        A grid takes the place of the one before, with its PUE; a PUE or a note alone leaves the grid.

        Raises:
            UnknownRegion: there is no such region; the nearest are named.
            ValueError: an own figure, the mix, the PUE or the note cannot be.
        """
        found = self._placing.say(said)
        self._accounts.place = found
        self._tell_link()
        return found

    def peek(self) -> Snapshot:
        """The session as of the last tick, at once; for the sampler's own thread."""
        return self._accounts.snapshot._replace(tracking=self.tracking, place=self._accounts.held.place(self.place))

    def candidates(self) -> list[Candidate]:
        """The sensors that were found."""
        sampler = self._meter.sampler
        return list(sampler.candidates) if sampler is not None else []

    @property
    def busy(self) -> bool:
        """Whether a cell runs, or has yet to be settled."""
        return self._accounts.busy

    # The parts

    def _pace(self) -> Pace:
        return Pace(self.config.interval_s, self.config.rest_interval_s)

    def _ticked(self, now_s: float) -> None:
        """After each tick, in the sampler's thread."""
        self._accounts.on_tick(now_s)
        self._keeper.ticked(now_s)
        if self._feed is not None:
            self._feed.now(self._accounts)
        if self.link is not None:
            self.link.ticked()

    def _recorded(self, record: CellRecord, window: Window) -> None:
        """With each final record, in the sampler's thread."""
        self._keeper.record(record, window)
        if self._feed is not None:
            self._feed.record(record)
        if self.link is not None:
            self.link.recorded(record)

    def _tell_link(self) -> None:
        if self.link is not None:
            self.link.changed()

    def _keep_live(self, change: Any) -> None:
        if self.link is not None:
            self.link.keep_live(bool(change.new))

    def _moved(self) -> None:
        """Where this is may be known otherwise now: by a setting, or by the cloud, in a thread of its own."""
        if os.getpid() == self._pid:
            self._accounts.place = self._placing.place()
            self._tell_link()

    def _facts(self) -> Facts:
        order = feed.order()
        notebook = order.notebook if order is not None else self.environ.get("JPY_SESSION_NAME") or None
        return new_facts(
            self._meter.machine.form, self._meter.allotment, self.config.project or project_here(), notebook
        )

    def _configured(self, change: Any) -> None:
        """A setting has changed."""
        if change.name in (*GRID, "pue", "region_note"):
            if change.name in GRID:
                self._placing.configured()
            self._moved()
        elif change.name == "cloud_metadata":
            self._placing.whereabouts.ask_cloud(change.new, self._moved)
        elif change.name in ("interval_s", "rest_interval_s") and self._meter.sampler is not None:
            self._meter.sampler.pace = self._pace()
        elif change.name in ("power_source", "power_source_host"):
            self._meter.set_source(self.config.power_source, self.config.power_source_host)
        elif change.name in ("scope", "project"):
            self._meter.set_scope(_scope(self.config))
            self._accounts.facts = self._facts_again()

    def _facts_again(self) -> Facts:
        """The facts after a change of settings, of the same session."""
        now = self._accounts.facts
        return self._facts()._replace(session_id=now.session_id, started_at=now.started_at)


def _scope(config: CarbonMagic) -> ScopeOption:
    scope: ScopeOption = config.scope
    return scope


def current() -> Session | None:
    """This kernel's session, or None where the extension is not loaded."""
    return _current


def set_current(session: Session | None) -> None:
    """Remember this kernel's session."""
    global _current  # noqa: PLW0603 - one kernel has one session
    _current = session


def settle(timeout_s: float) -> bool:
    """Wait until every cell that has ended is final; True also where nothing is tracked."""
    return _current.settle(timeout_s) if _current is not None else True
