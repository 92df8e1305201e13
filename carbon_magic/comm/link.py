"""The comm itself: opened when the extension loads, written to by the sampler's thread, silent while nothing runs.

A front end that knows the target attaches to it, one that does not closes it, and then nothing is sent any more. No
message may disturb the kernel: what is not understood is dropped.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from carbon_magic.comm import messages
from carbon_magic.comm.kernel import create, hear_on_control
from carbon_magic.comm.lease import Leases
from carbon_magic.comm.samples import Sample, Samples

if TYPE_CHECKING:
    from carbon_magic.ledger.record import CellRecord
    from carbon_magic.power.candidate import Candidate
    from carbon_magic.session import Session
    from carbon_magic.snapshot import Snapshot

LONGEST_NAME = 80
TRACKED_AT_ONCE = 256
"""Records of one tick beyond this are in the history alone: a loop of a thousand cells must not flood the socket."""
OFTEN_S = 0.5
"""Ticks are sent no oftener, unless a cell has begun or ended: who asks for figures has the sensors read at once."""
_BY_COMM = "comm:"


class Link:
    """One kernel's comm.

    Args:
        session: whose figures it sends.
        kernel: the ipykernel that the session lives in.
        clock, wall: for made-up time.
    """

    def __init__(
        self,
        session: Session,
        kernel: Any,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.samples = Samples()
        self.leases = Leases()
        self._session = session
        self._kernel = kernel
        self._clock = clock
        self._wall = wall
        self.pid = os.getpid()
        self._comm: Any = None
        self._listeners: list[tuple[Callable[[messages.Message], None], Callable[[], bool]]] = []
        """Widgets of this kernel, and whether each still lives."""
        self._chart: Any = None
        self._records: list[CellRecord] = []
        self._sent_until = 0.0
        self._ticked_s = float("-inf")
        self._ran: tuple[str, ...] = ()
        self._gap: tuple[object, object] | None = None
        self._welcoming = False
        self._told: object = None
        """What of the state can change by itself, as it was told last."""
        self._undo: Callable[[], None] = lambda: None

    # Opening and closing

    def open(self) -> None:
        """Open the comm and say how things stand."""
        self.leases.keep_live = bool(self._session.config.keep_live)
        self.leases.began(self._clock())
        self._comm = create(messages.TARGET, self._state())
        self._comm.on_msg(self._received)
        self._comm.on_close(lambda _: self._forget())
        self._undo = hear_on_control(self._kernel, self._comm.comm_id, self._received)

    @property
    def is_open(self) -> bool:
        """Whether a front end can hear it."""
        return self._comm is not None

    def close(self) -> None:
        """Close it, where it is open."""
        comm, self._comm = self._comm, None
        self._undo()
        self._undo = lambda: None
        self._listeners.clear()
        self._chart = None
        if comm is not None and os.getpid() == self.pid:
            comm.close()

    def _forget(self) -> None:
        """The front end has closed it: it does not know the target, or goes."""
        self._comm = None
        self.leases.release_all(_BY_COMM)

    # What the session tells

    @property
    def watched(self) -> bool:
        """Whether somebody looks, so that readings are wanted every second."""
        return self._listened and self.leases.watched(self._clock())

    @property
    def _listened(self) -> bool:
        return self._comm is not None or bool(self._listeners)

    # Widgets

    def add_listener(self, send: Callable[[messages.Message], None], alive: Callable[[], bool]) -> None:
        """Have all that is sent given to a widget too, in the sampler's thread, as long as it lives."""
        self._listeners = [*self._listeners, (send, alive)]

    def opening(self) -> list[messages.Message]:
        """What a view begins with."""
        snapshot = self._session.peek()
        found = [self._state(), messages.history(snapshot, self.samples.thinned(messages.MOST_SAMPLES))]
        if snapshot.energy_j is not None:
            sums = messages.totals(snapshot, self._session.candidates(), self._wall())
            found.append(messages.tick(snapshot, sums, []))
        return found

    def recorded(self, record: CellRecord) -> None:
        """A cell's final record; in the sampler's thread, sent with the tick that settled it."""
        if self._listened:
            self._records.append(record)

    def ticked(self) -> None:
        """After each tick, in the sampler's thread."""
        snapshot, now = self._session.peek(), self._wall()
        running = bool(snapshot.running) or self._session.busy
        self.leases.note(running, self._clock(), ended=bool(self._records))
        sampler = self._session.sampler
        if sampler is not None:
            # Another sampler has begun after a time in which nothing was tracked.
            gap = (sampler, sampler.timeline.gaps[-1] if sampler.timeline.gaps else None)
            if self._gap is not None and gap != self._gap:
                self.samples.add(Sample(now - 0.001, None, None, None))
            self._gap = gap
        powers = {domain: total.power_w for domain, total in snapshot.domains.items()}
        if any(power is not None for power in powers.values()):
            self.samples.add(Sample(now, powers.get("cpu"), powers.get("gpu"), powers.get("dram")))
        if not self._listened:
            return
        records, self._records = self._records, []
        candidates = self._session.candidates()
        if self._told != (told := _facts(snapshot, candidates)):
            self._told = told
            self._send(self._state())
        ran, self._ran = self._ran, tuple(cell.record_id for cell in snapshot.running)
        watched = self.watched and (bool(records) or ran != self._ran or self._clock() - self._ticked_s >= OFTEN_S)
        if not (records or watched):
            return
        sums = messages.totals(snapshot, candidates, now)
        for record in records[-TRACKED_AT_ONCE:]:
            self._send(messages.record(record, sums if record is records[-1] else None))
        if watched:
            fresh = self.samples.since(self._sent_until)[-messages.MOST_SAMPLES :]
            self._sent_until, self._ticked_s = now, self._clock()
            self._send(messages.tick(snapshot, sums, fresh))

    def changed(self) -> None:
        """Tracking was switched, the region was set, the session began anew."""
        if self._listened:
            self._soon(lambda: self._send(self._state()))

    def keep_live(self, on: bool) -> None:
        """The setting has changed."""
        self.leases.keep_live = on
        self.changed()
        self._wake()

    def _wake(self) -> None:
        """Have the sampler look anew how often readings are wanted."""
        sampler = self._session.sampler
        if sampler is not None and self.watched:
            sampler.call_soon(sampler.tick)

    # What a front end says

    def _received(self, message: Any) -> None:
        """A message of a front end, from whatever thread. Nothing is raised, whatever it holds."""
        try:
            data = message["content"]["data"]
        except (KeyError, TypeError):  # no message of ours
            return
        self.heard(data, _BY_COMM)

    def heard(self, data: Any, by: str = "widget:") -> None:
        """What a front end or a widget says; `by` tells their views apart: a closed comm takes its own along."""
        if not isinstance(data, dict) or os.getpid() != self.pid:
            return
        kind = data.get("type")
        if kind == "hello":
            if not self._welcoming:  # one answer does for all who ask while it waits
                self._welcoming = True
                self._soon(self._welcome)
        elif kind in ("lease", "release"):
            view = data.get("view")
            if isinstance(view, str) and 0 < len(view) <= LONGEST_NAME:
                self._lease(by + view, taken=kind == "lease")
        elif kind == "region":
            self._set_region(data.get("region"))
        elif kind == "track" and isinstance(data.get("on"), bool):
            self._track(data["on"])
        elif kind == "keep_live" and isinstance(data.get("on"), bool):
            self._session.config.keep_live = data["on"]
        elif kind == "chart" and threading.current_thread() is threading.main_thread():
            # Elsewhere a cell runs meanwhile, under which making it takes seconds: it is asked for by the shell.
            self._give_chart()

    def _track(self, on: bool) -> None:
        try:
            self._session.track(on)
            if on:
                self.leases.began(self._clock())
                self._wake()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            self._soon(lambda: self._send(messages.refused("track", why)))

    def _welcome(self) -> None:
        self._welcoming = False
        for message in self.opening():
            self._send(message)
        self._sent_until = self._wall()

    def _give_chart(self) -> None:
        """The chart for a front end to show: made once, and the same for all who ask."""
        from carbon_magic.views.panel import PanelMissing, chart

        try:
            self._chart = self._chart or chart(self)
            answer = messages.chart(self._chart.model_id)
        except PanelMissing as missing:
            answer = messages.refused("chart", str(missing))
        except Exception as error:
            # bqplot and anywidget are others' code, of any version: then there is no chart, and all else works.
            answer = messages.refused("chart", f"{type(error).__name__}: {error}")
        self._soon(lambda: self._send(answer))

    def _lease(self, view: str, *, taken: bool) -> None:
        if not taken:
            self.leases.release(view)
            return
        before = self.watched
        self.leases.take(view, self._clock())
        if not before:
            self._wake()

    def _set_region(self, asked: Any) -> None:
        if asked is not None and not (isinstance(asked, str) and 0 < len(asked) <= LONGEST_NAME):
            return
        try:
            if asked is None:
                self._session.say(None)
            else:
                self._session.set_region(asked)
        except ValueError as error:
            why = str(error)
            self._soon(lambda: self._send(messages.refused("region", why)))

    # Sending

    def _state(self) -> messages.Message:
        keep_live = self.leases.keep_live
        return messages.state(self._session.peek(), self._session.candidates(), self._wall(), keep_live=keep_live)

    def _soon(self, send: Callable[[], None]) -> None:
        """Send in the sampler's thread where there is one, so that a session has one writer."""
        sampler = self._session.sampler
        if sampler is not None:
            sampler.call_soon(send)
        else:
            send()

    def _send(self, message: messages.Message) -> None:
        if os.getpid() != self.pid:
            return
        comm = self._comm
        if comm is not None:
            try:
                comm.send(message)
            except Exception as error:
                # The kernel shuts down, or its sockets are gone: then nobody listens either.
                self._session.trouble = f"the comm: {type(error).__name__}: {error}"
                self._forget()
        for listener in self._listeners:
            send, alive = listener
            try:
                if alive():
                    send(message)
                    continue
            except Exception as error:
                # A widget that is being closed: the others still want to know.
                self._session.trouble = f"the panel: {type(error).__name__}: {error}"
            self._listeners = [other for other in self._listeners if other is not listener]


def _facts(snapshot: Snapshot, candidates: Sequence[Candidate]) -> object:
    """What a state message tells that nobody announces: sensors found or lost, problems, a live value of the grid."""
    sensors = tuple((item.name, item.used, item.reason) for item in candidates)
    return sensors, snapshot.problems, snapshot.place, snapshot.session_id
