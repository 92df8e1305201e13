"""The comm itself: opened when the extension loads, written to by the sampler's thread, silent while nothing runs.

A front end that knows the target attaches to it, one that does not closes it, and then nothing is sent any more. What
front ends say comes by the shell, which waits for the cell that runs; so that a view which is opened in the middle of a
long cell is heard too, messages for this very comm are taken on the control channel as well. No message may disturb the
kernel: what is not understood is dropped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from carbon_magic.comm import messages
from carbon_magic.comm.lease import Leases
from carbon_magic.comm.samples import Sample, Samples

if TYPE_CHECKING:
    from carbon_magic.ledger.record import CellRecord
    from carbon_magic.session import Session

LONGEST_NAME = 80
TRACKED_AT_ONCE = 256
"""Records of one tick beyond this are in the history alone: a loop of a thousand cells must not flood the socket."""


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
        self._pid = os.getpid()
        self._comm: Any = None
        self._records: list[CellRecord] = []
        self._sent_until = 0.0
        self._gaps = 0
        self._undo: Callable[[], None] = lambda: None

    # Opening and closing

    def open(self) -> None:
        """Open the comm and say how things stand."""
        self._comm = _create(messages.TARGET, self._state())
        self._comm.on_msg(self._received)
        self._comm.on_close(lambda _: self._forget())
        self._undo = _hear_on_control(self._kernel, self._comm.comm_id, self._received)

    @property
    def is_open(self) -> bool:
        """Whether a front end may listen."""
        return self._comm is not None

    def close(self) -> None:
        """Close it, where it is open."""
        comm, self._comm = self._comm, None
        self._undo()
        self._undo = lambda: None
        if comm is not None and os.getpid() == self._pid:
            comm.close()

    def _forget(self) -> None:
        """The front end has closed it: it does not know the target, or goes."""
        self._comm = None
        self.leases.release_all()

    # What the session tells

    @property
    def watched(self) -> bool:
        """Whether somebody looks, so that readings are wanted every second."""
        return self._comm is not None and self.leases.watched(self._clock())

    def recorded(self, record: CellRecord) -> None:
        """A cell's final record; in the sampler's thread, sent with the tick that settled it."""
        if self._comm is not None:
            self._records.append(record)

    def ticked(self) -> None:
        """After each tick, in the sampler's thread."""
        snapshot, now = self._session.peek(), self._wall()
        self.leases.note(bool(snapshot.running) or self._session.busy, self._clock())
        sampler = self._session.sampler
        if sampler is not None and len(sampler.timeline.gaps) != self._gaps:
            self._gaps = len(sampler.timeline.gaps)
            self.samples.add(Sample(now - 0.001, None, None, None))
        powers = {domain: total.power_w for domain, total in snapshot.domains.items()}
        if any(power is not None for power in powers.values()):
            self.samples.add(Sample(now, powers.get("cpu"), powers.get("gpu"), powers.get("dram")))
        if self._comm is None:
            return
        records, self._records = self._records, []
        candidates = self._session.candidates()
        watched = self.watched
        if not (records or watched):
            return
        sums = messages.totals(snapshot, candidates, now)
        for record in records[-TRACKED_AT_ONCE:]:
            self._send(messages.record(record, sums if record is records[-1] else None))
        if watched:
            fresh = self.samples.since(self._sent_until)[-messages.MOST_SAMPLES :]
            self._sent_until = now
            self._send(messages.tick(snapshot, sums, fresh))

    def changed(self) -> None:
        """Tracking was switched, the region was set, the session began anew."""
        if self._comm is not None:
            self._soon(lambda: self._send(self._state()))

    # What a front end says

    def _received(self, message: Any) -> None:
        """A message of a front end, from whatever thread. Nothing is raised, whatever it holds."""
        try:
            data = message["content"]["data"]
            kind = data.get("type")
        except (AttributeError, KeyError, TypeError):  # no message of ours
            return
        if os.getpid() != self._pid:
            return
        if kind == "hello":
            self._soon(self._welcome)
        elif kind in ("lease", "release"):
            view = data.get("view")
            if isinstance(view, str) and 0 < len(view) <= LONGEST_NAME:
                self._lease(view, taken=kind == "lease", keep=data.get("keep") is True)
        elif kind == "region":
            self._set_region(data.get("region"))
        elif kind == "track" and isinstance(data.get("on"), bool):
            self._session.track(data["on"])

    def _welcome(self) -> None:
        self._send(self._state())
        snapshot = self._session.peek()
        self._send(messages.history(snapshot, self.samples.thinned(messages.MOST_SAMPLES)))
        if snapshot.energy_j is not None:
            sums = messages.totals(snapshot, self._session.candidates(), self._wall())
            self._send(messages.tick(snapshot, sums, []))
        self._sent_until = self._wall()

    def _lease(self, view: str, *, taken: bool, keep: bool) -> None:
        if not taken:
            self.leases.release(view)
            return
        before = self.watched
        self.leases.take(view, self._clock(), keep=keep)
        sampler = self._session.sampler
        if not before and sampler is not None and self.watched:
            sampler.call_soon(sampler.tick)

    def _set_region(self, asked: Any) -> None:
        if asked is not None and not (isinstance(asked, str) and 0 < len(asked) <= LONGEST_NAME):
            return
        try:
            self._session.set_region(asked)
        except ValueError as error:
            why = str(error)
            self._soon(lambda: self._send(messages.refused("region", why)))

    # Sending

    def _state(self) -> messages.Message:
        return messages.state(self._session.peek(), self._session.candidates(), now=self._wall(), regions=[])

    def _soon(self, send: Callable[[], None]) -> None:
        """Send in the sampler's thread where there is one, so that a session has one writer."""
        sampler = self._session.sampler
        if sampler is not None:
            sampler.call_soon(send)
        else:
            send()

    def _send(self, message: messages.Message) -> None:
        comm = self._comm
        if comm is None or os.getpid() != self._pid:
            return
        try:
            comm.send(message)
        except Exception as error:
            # The kernel shuts down, or its sockets are gone: then nobody listens either.
            self._session.trouble = f"the comm: {type(error).__name__}: {error}"
            self._forget()


def kernel_of(shell: Any) -> Any:
    """The ipykernel around a shell, or None in a terminal."""
    return getattr(shell, "kernel", None)


def _create(target: str, data: messages.Message) -> Any:
    """A comm of this kernel; the package `comm` has it from ipykernel 6.18 on."""
    try:
        from comm import create_comm
    except ImportError:
        from ipykernel.comm import Comm

        make: Any = Comm
        return make(target_name=target, data=data)
    return create_comm(target_name=target, data=data)


def _hear_on_control(kernel: Any, comm_id: str, received: Callable[[Any], None]) -> Callable[[], None]:
    """Take this comm's messages on the control channel too; gives what undoes it.

    ipykernel has no handler for comms there. Messages for other comms go where they went before.
    """
    handlers = getattr(kernel, "control_handlers", None)
    if not isinstance(handlers, dict):
        return lambda: None
    before = handlers.get("comm_msg")

    def handle(stream: Any, ident: Any, message: Any) -> Any:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, dict) and content.get("comm_id") == comm_id:
            received(message)
            return None
        return before(stream, ident, message) if before is not None else None

    handlers["comm_msg"] = handle

    def undo() -> None:
        if handlers.get("comm_msg") is not handle:
            return  # somebody has put another one on top, which still needs this one
        if before is None:
            del handlers["comm_msg"]
        else:
            handlers["comm_msg"] = before

    return undo
