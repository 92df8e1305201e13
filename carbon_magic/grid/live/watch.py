"""The live intensity of this process: what holds now, and one thread that asks when a cell runs and the hour is over.

`now` is called with each tick of the sampler and takes microseconds: it gives the place as energy is converted there at
present, and leaves a question to the thread where one is due. The thread ends half a minute after the last question,
so nothing is asked and nothing wakes while nothing runs. A forked child never asks: it goes by what its parent knew,
and by what is kept on the disk.
"""

from __future__ import annotations

import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping

from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.live.asker import SOONEST_S, Asker
from carbon_magic.grid.live.choose import BUILT_IN, Choice
from carbon_magic.grid.live.fetch import Asking
from carbon_magic.grid.live.provider import Forecasts, Get, Provider
from carbon_magic.grid.live.zone import InForce, Zone, in_force, without
from carbon_magic.grid.regions import by_id
from carbon_magic.snapshot import Place
from carbon_magic.threads import in_background

LINGER_S = 30.0
"""The thread waits so long for another question before it ends."""
MOST_ZONES = 50

_forked = False


def _after_fork() -> None:
    global _forked  # noqa: PLW0603 - a process is forked or it is not
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Live:
    """Live intensities of one provider.

    Args:
        chosen: the provider, and a zone if one was named.
        environ: where tokens, addresses and the folder of the records are looked for.
        home: the region that a named zone stands for; others are found by the provider.
        get: how it is asked.
        clock, monotonic: the two clocks, in seconds.
        chance: a number from 0 to 1 at each call.
    """

    def __init__(
        self,
        chosen: Choice,
        environ: Mapping[str, str] = os.environ,
        *,
        home: Callable[[], str | None] = lambda: None,
        get: Get | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        get = get or Asking().get
        self._asker = Asker(chosen, environ, get, clock=clock, monotonic=monotonic, chance=chance)
        self._home = home
        self._clock = clock
        self._monotonic = monotonic
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._zones: dict[str, Zone] = {}
        self._zone_names: dict[str, str | None] = {}
        """By region; the provider may take a while to say it."""
        self._questions: queue.SimpleQueue[Zone | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        if chosen.name in BUILT_IN:
            self._asker.load()

    # What the sampler's thread calls

    def now(self, place: Place, *, wanted: bool) -> InForce:
        """The place with the intensity of the present hour, or as it is where there is none.

        Args:
            place: as the tables have it. One whose region is unknown, or whose intensity the user has given, stays.
            wanted: whether something is measured now; else nobody is asked.
        """
        if not self._applies(place):
            return InForce(place, None)
        zone = self._zone_of(place.region)
        if zone is None:
            if wanted and self.provider is None and self.trouble is None:
                self._ask(None)
                return InForce(without(place, f"{self.title} has not been asked yet"), None)
            return InForce(place if self.trouble is None else without(place, f"{self.title} {self.trouble}"), None)
        if wanted and self._is_due(zone):
            self._ask(zone)
        return in_force(place, zone, self.title, self._clock(), self._monotonic())

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        if self.trouble is not None:
            return [f"live intensity: {self.title} {self.trouble}"]
        zones = list(self._zones.values())
        return [f"live intensity: {self.title} {zone.trouble}" for zone in zones if zone.trouble is not None]

    # What people ask

    @property
    def title(self) -> str:
        """The provider's name for people."""
        return self._asker.chosen.name if self.provider is None else self.provider.title

    @property
    def provider(self) -> Provider | None:
        """The provider, once it is loaded."""
        return self._asker.provider

    @property
    def trouble(self) -> str | None:
        """Why the provider itself cannot be used, in words."""
        return self._asker.trouble

    def quote(self, place: Place) -> tuple[Zone | None, str]:
        """What is known of a place's zone, and in words why there is none."""
        if not place.known:
            return None, "The region is unknown, so no grid can be asked for."
        if not self._applies(place):
            return None, "The intensity of this place was given by hand, and stays."
        zone = self._zone_of(place.region)
        if zone is None and self.trouble is None and self.provider is not None:
            return None, f"{self.title} has no zone that is {place.name}. A zone can be named after a colon."
        return zone, ""

    def ask_now(self, place: Place, wait_s: float) -> None:
        """Have a place's value and its forecast asked for if they are due, and wait for so long at most."""
        deadline_s = time.monotonic() + wait_s
        while self._applies(place):
            zone = self._zone_of(place.region)
            if zone is not None:
                zone.ahead_wanted = isinstance(self.provider, Forecasts) and self._monotonic() >= zone.ahead_next_s
                if zone.ahead_wanted or self._is_due(zone):
                    zone.tried.clear()
                    self._ask(zone)
                    zone.tried.wait(max(0.0, deadline_s - time.monotonic()))
                return
            self.now(place, wanted=True)
            if self.trouble is not None or self.provider is not None or time.monotonic() >= deadline_s:
                return
            time.sleep(0.02)

    def close(self) -> None:
        """Ask nobody any more. A question under way is not waited for."""
        self._closed = True
        if self._pid == os.getpid():
            self._questions.put(None)

    # The parts

    def _applies(self, place: Place) -> bool:
        """Whether a live value may stand in for a place's own: only for that of the tables, of a known region."""
        if self._closed or not place.known:
            return False
        try:
            row = by_id(place.region)
            grid = row if row.grid_region is None else by_id(row.grid_region)
            # A row that people have put over the table's is a figure of their own.
            return str(grid.lifecycle_method) != "own" and place.intensity_g_per_kwh == intensity(place.region)
        except KeyError:
            return False

    def _zone_of(self, region_id: str) -> Zone | None:
        if region_id not in self._zone_names:
            if self.provider is None:
                return None
            try:
                name = self.provider.zone(region_id)
            except Exception:  # another package's code; to the notebook it is as if it had no such zone
                name = None
            if len(self._zone_names) < 10 * MOST_ZONES:
                self._zone_names[region_id] = name
        name = self._zone_names.get(region_id)
        named = self._asker.chosen.zone
        if named is not None and region_id == self._home():
            name = named
        if name is None:
            return None
        zone = self._zones.get(name)
        if zone is None and len(self._zones) < MOST_ZONES:
            zone = self._zones.setdefault(name, Zone(name))
        return zone

    def _is_due(self, zone: Zone) -> bool:
        return not zone.asked and self._monotonic() >= zone.next_s

    def _may_not_ask(self) -> bool:
        return self._closed or _forked or self._pid != os.getpid()

    def _ask(self, zone: Zone | None) -> None:
        """Leave a question to the thread, and start that if it has ended."""
        if self._may_not_ask():
            if zone is not None and not self._closed:
                self._asker.look_up(zone)
                zone.next_s = self._monotonic() + SOONEST_S
                zone.trouble = None if zone.quote else "is not asked by a process that was forked"
                zone.tried.set()
            elif zone is None and not self._closed:
                self._asker.load()
            return
        with self._lock:
            if zone is not None:
                zone.asked = True
                self._questions.put(zone)
            if self._thread is not None or sys.is_finalizing():
                return  # at the end of the process a thread may hang as it starts
            thread = in_background(threading.Thread(target=self._answer, name="carbon-magic live"))
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is shutting down: the annual figure holds
                self._asker.trouble = "cannot be asked: no thread can be started"
            else:
                self._thread = thread

    # The thread

    def _answer(self) -> None:
        self._asker.load()
        while True:
            try:
                zone = self._questions.get(timeout=LINGER_S)
            except queue.Empty:
                zone = None
            if zone is None or self._closed:
                with self._lock:
                    if self._closed or self._questions.empty():
                        self._thread = None
                        return
                    continue
            self._asker.ask(zone)
