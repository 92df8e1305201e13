"""One kernel's session: it turns IPython's events into windows, and owns the sampler and the books.

Everything that a cell's thread does here takes microseconds and no lock. Measuring starts when the extension is
loaded (or, with tracking off, when a cell begins with `%%carbon`) and leaves nothing behind when it is unloaded.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from carbon_magic.accounts import Accounts
from carbon_magic.config import CarbonMagic
from carbon_magic.describe import Facts, estimate_of, new_facts, project_here
from carbon_magic.grid import table as regions_table
from carbon_magic.grid.own import Said
from carbon_magic.keeper import Keeper
from carbon_magic.ledger.record import CellRecord, safe_cell_id
from carbon_magic.ledger.writer import EXIT_S
from carbon_magic.live import LiveSwitch
from carbon_magic.meter import Meter
from carbon_magic.options import CellOptions, options_of
from carbon_magic.placing import GRID, Placing
from carbon_magic.power.allotment import ScopeOption
from carbon_magic.power.sampler import Pace, Sampler
from carbon_magic.run import feed
from carbon_magic.snapshot import Place, Snapshot
from carbon_magic.windows import Threads, Window, status_of

if TYPE_CHECKING:
    from carbon_magic.comm.link import Link
    from carbon_magic.power.candidate import Candidate
    from carbon_magic.views.findings import Findings

LINGER_S = 2.0
"""After the last cell the sampler keeps its pace this long: the next cell often comes at once."""
ANSWER_S = 0.05
"""Whoever asks for a figure waits at most this long for an extra reading."""
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
        self.tracking = False
        self.loaded_bytes: int | None = None
        """Memory that was added to the process while the extension was loaded."""
        self.trouble: str | None = None
        """The last error that was kept from the notebook."""
        self.options_of: Callable[[str], CellOptions | None] = options_of
        """How the options of a cell that begins are known."""
        self.link: Link | None = None
        """What a front end is told by, in a kernel that has one."""
        self._pid = os.getpid()
        self._switching = threading.RLock()
        """A front end switches tracking from a thread of its own, while a cell may begin."""
        self._threads = Threads()
        self._meter = Meter(self.environ, _scope(config))
        if config.power_source:
            self._meter.set_source(config.power_source, config.power_source_host)
        self._last_close_s = float("-inf")
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
        config.observe(self._configured, names=SETTINGS)
        self._placing.whereabouts.ask_cloud(config.cloud_metadata, self._moved)

    # Switching

    def on(self) -> None:
        """Track every cell from the next one on."""
        with self._switching:
            self.tracking = True
            self._accounts.tracking = True
            self._ensure_sampler()
        self._tell_link()

    def off(self) -> None:
        """Track no more cells, but those that begin with `%%carbon`. The one that runs is finished first."""
        with self._switching:
            self.tracking = False
            self._accounts.tracking = False
            self._rest()
        self._tell_link()

    def track(self, on: bool) -> None:
        """Switch tracking and the setting with it, as `%carbon on` and `%carbon off` do."""
        self.config.auto_track = on
        if on != self.tracking:
            (self.on if on else self.off)()

    def close(self) -> None:
        """End it all: the threads, the descriptors, the file among other kernels' files. What was measured is kept."""
        self.tracking = False
        self.config.unobserve_all()
        if os.getpid() != self._pid:
            return
        deadline_s = time.monotonic() + EXIT_S
        self.settle(LAST_S)
        self._stop_sampler()
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

    # What IPython's events call

    def pre_run_cell(self, info: Any, execution_count: int | None) -> None:
        if os.getpid() != self._pid:
            return
        window = None
        if self._threads.outermost(info):
            self._rest()
            options = self.options_of(info.raw_cell)
            if self.tracking or options is not None:
                window = self._open(options, execution_count, getattr(info, "cell_id", None))
                window.source = info.raw_cell
        self._threads.begin(info, window)
        if window is not None and self._feed is not None:
            self._tell()

    def post_run_cell(self, result: Any) -> Window | None:
        """The window that ended, if one did."""
        if os.getpid() != self._pid:
            return None
        window = self._threads.end(result)
        if window is not None:
            self._close(window, result)
            if not self.tracking or self._feed is not None:
                self.settle(ANSWER_S)
            self._rest()
        return window

    def _tell(self) -> None:
        """Let the runner of this notebook know at once that a cell runs: it may kill the kernel."""
        if self._meter.sampler is not None:
            self._meter.sampler.poke(ANSWER_S)

    def begin_inside(self, options: CellOptions) -> Window:
        """A `%%carbon` within another cell's run begins."""
        return self._open(options, None, None, inner=True)

    def end_inside(self, window: Window, result: Any) -> None:
        """It has ended."""
        self._close(window, result)

    def _open(self, options: CellOptions | None, count: int | None, cell_id: object, *, inner: bool = False) -> Window:
        window = Window(
            execution_count=count,
            cell_id=safe_cell_id(cell_id),
            options=options,
            place=self._placing.place(Said(options.region)) if options and options.region else self.place,
            inner=inner,
        )
        with self._switching:
            window.opened_s = self._ensure_sampler().border()
            self._accounts.opened(window)
        if not inner:
            self._keeper.began(window)
        return window

    def _close(self, window: Window, result: Any) -> None:
        sampler = self._meter.sampler
        window.status = status_of(result)
        if getattr(result, "execution_count", None) is not None:
            window.execution_count = result.execution_count
        try:
            window.closed_s = sampler.border() if sampler is not None else time.monotonic()
        finally:
            # An interrupt may come right here: the window must end all the same, or it would never.
            if window.closed_s is None:
                window.closed_s = time.monotonic()
            self._last_close_s = window.closed_s
            self._accounts.closed(window, window.closed_s)
            self._keeper.ended(window)
        if sampler is not None:
            sampler.hurry()  # its figures are to be kept, whatever happens to the kernel next

    def forget_run(self, result: Any) -> None:
        """Have a run that ended taken off its thread, where an interrupt may have kept that from being done."""
        if os.getpid() == self._pid:
            self._threads.forget(result)

    def inside_a_cell(self) -> bool:
        """Whether this thread is in a cell."""
        return self._threads.inside()

    # What magics and views ask

    def result(self, window: Window) -> CellRecord:
        """A cell's record: final where an extra reading came in time, else by its power and duration."""
        if window.record is None and self._meter.sampler is not None:
            self._meter.sampler.poke(ANSWER_S)
        if window.record is not None:
            return window.record
        duration_s = max(0.0, (window.closed_s or time.monotonic()) - window.opened_s)
        return self._accounts.record_of(window, estimate_of(self._accounts.snapshot, duration_s), final=False)

    def snapshot(self) -> Snapshot:
        """The session as it is now, with an extra reading where it comes in time."""
        if self._meter.sampler is not None:
            self._meter.sampler.poke(ANSWER_S)
        return self._accounts.snapshot

    def settle(self, timeout_s: float) -> bool:
        """Wait until every cell that has ended is final. False where the time was too short."""
        deadline_s = time.monotonic() + timeout_s
        while self._accounts.pending and self._meter.sampler is not None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                return False
            self._meter.sampler.poke(left_s)
            if self._accounts.pending:
                time.sleep(min(0.05, max(0.0, deadline_s - time.monotonic())))
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that is settled stands in the ledger. False where the time was too short."""
        return self._keeper.writer.flush(timeout_s)

    def findings(self) -> Findings:
        """What the doctor reports."""
        from carbon_magic import diagnosis

        meter, sampler = self._meter, self._meter.sampler
        problems = []
        if sampler is not None:
            sampler.poke(ANSWER_S)
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

    def hand_back_interrupt(self) -> None:
        """IPython swallows a KeyboardInterrupt in an event's callback: raise it again once that has returned."""
        if self._meter.sampler is not None:
            self._meter.sampler.call_soon(_interrupt_main)
        else:
            threading.Timer(0.01, _interrupt_main).start()

    # The parts

    def _ensure_sampler(self) -> Sampler:
        if self._meter.sampler is not None:
            return self._meter.sampler
        pace = Pace(self.config.interval_s, self.config.rest_interval_s)
        sampler = self._meter.start(pace, self._ticked, self._is_busy, self._accounts.begin)
        sampler.call_soon(self._keeper.prepare)
        return sampler

    def _rest(self) -> None:
        """With tracking off, let the sampler go as soon as nothing is measured any more."""
        with self._switching:
            if not self.tracking and not self._accounts.busy:
                self._stop_sampler()

    def _stop_sampler(self) -> None:
        measured = self._meter.sampler is not None
        self._meter.stop()
        if measured:
            self._accounts.end()

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

    def _is_busy(self) -> bool:
        if self._accounts.busy or time.monotonic() - self._last_close_s < LINGER_S:
            return True
        return self.link is not None and self.link.watched

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
            self._meter.sampler.pace = Pace(self.config.interval_s, self.config.rest_interval_s)
        elif change.name in ("power_source", "power_source_host"):
            self._meter.set_source(self.config.power_source, self.config.power_source_host)
        elif change.name in ("scope", "project"):
            self._meter.set_scope(_scope(self.config))
            self._accounts.facts = self._facts_again()

    def _facts_again(self) -> Facts:
        """The facts after a change of settings, of the same session."""
        now = self._accounts.facts
        return self._facts()._replace(session_id=now.session_id, started_at=now.started_at)


def _interrupt_main() -> None:
    """What Ctrl-C does: on POSIX a real signal, as only that ends a system call that waits."""
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


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
