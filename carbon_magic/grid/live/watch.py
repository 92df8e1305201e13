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
from datetime import datetime, timedelta, timezone

from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.live import stored
from carbon_magic.grid.live.choose import BUILT_IN, Choice, load
from carbon_magic.grid.live.fetch import Asking
from carbon_magic.grid.live.provider import Forecasts, Get, LiveError, Provider, Reading, checked, lifecycle_range
from carbon_magic.grid.live.zone import InForce, Quote, Zone, in_force, without
from carbon_magic.grid.regions import by_id
from carbon_magic.snapshot import Place
from carbon_magic.threads import in_background

SOONEST_S = 60.0
"""No zone is asked for oftener, but after a failure."""
LATE_S = 300.0
"""A provider whose latest value is of an hour that is over is asked again after this."""
SPREAD_S = 20.0
"""So many seconds at most are added by chance, so that not all kernels ask when the hour is over."""
FIRST_RETRY_S = 15.0
LONGEST_RETRY_S = 900.0
MOST_RETRY_AFTER_S = 3600.0
LINGER_S = 30.0
"""The thread waits so long for another question before it ends."""
MOST_ZONES = 50
AHEAD_S = 1800.0
"""A forecast is asked for only when somebody wants to see it, and no oftener than this."""
MOST_AHEAD = 200

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
        self.chosen = chosen
        self.trouble: str | None = None
        """Why the provider itself cannot be used, in words."""
        self._environ = environ
        self._home = home
        self._get = get or Asking().get
        self._clock = clock
        self._monotonic = monotonic
        self._chance = chance
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._provider: Provider | None = None
        self._zones: dict[str, Zone] = {}
        self._zone_names: dict[str, str | None] = {}
        """By region; the provider may take a while to say it."""
        self._questions: queue.SimpleQueue[Zone | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        if chosen.name in BUILT_IN:
            self._load()

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
            if wanted and self._provider is None and self.trouble is None:
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
        return self.chosen.name if self._provider is None else self._provider.title

    @property
    def provider(self) -> Provider | None:
        """The provider, once it is loaded."""
        return self._provider

    def quote(self, place: Place) -> tuple[Zone | None, str]:
        """What is known of a place's zone, and in words why there is none."""
        if not place.known:
            return None, "The region is unknown, so no grid can be asked for."
        if not self._applies(place):
            return None, "The intensity of this place was given by hand, and stays."
        zone = self._zone_of(place.region)
        if zone is None and self.trouble is None and self._provider is not None:
            return None, f"{self.title} has no zone that is {place.name}. A zone can be named after a colon."
        return zone, ""

    def ask_now(self, place: Place, wait_s: float) -> None:
        """Have a place's value and its forecast asked for if they are due, and wait for so long at most."""
        deadline_s = time.monotonic() + wait_s
        while self._applies(place):
            zone = self._zone_of(place.region)
            if zone is not None:
                zone.ahead_wanted = isinstance(self._provider, Forecasts) and self._monotonic() >= zone.ahead_next_s
                if zone.ahead_wanted or self._is_due(zone):
                    zone.tried.clear()
                    self._ask(zone)
                    zone.tried.wait(max(0.0, deadline_s - time.monotonic()))
                return
            self.now(place, wanted=True)
            if self.trouble is not None or self._provider is not None or time.monotonic() >= deadline_s:
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
            if self._provider is None:
                return None
            try:
                name = self._provider.zone(region_id)
            except Exception:  # another package's code; to the notebook it is as if it had no such zone
                name = None
            if len(self._zone_names) < 10 * MOST_ZONES:
                self._zone_names[region_id] = name
        name = self._zone_names.get(region_id)
        if self.chosen.zone is not None and region_id == self._home():
            name = self.chosen.zone
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
                self._look_up(zone)
                zone.next_s = self._monotonic() + SOONEST_S
                zone.trouble = None if zone.quote else "is not asked by a process that was forked"
                zone.tried.set()
            elif zone is None and not self._closed:
                self._load()
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
                self.trouble = "cannot be asked: no thread can be started"
            else:
                self._thread = thread

    def _present(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), timezone.utc)

    def _quote(self, reading: Reading, asked_at: datetime) -> Quote:
        assert self._provider is not None
        fresh = lifecycle_range(self._provider, reading)
        return Quote(reading, fresh, lifecycle_range(self._provider, reading, passed=True), asked_at)

    # The thread

    def _answer(self) -> None:
        self._load()
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
            self._question(zone)

    def _load(self) -> None:
        if self._provider is not None or self.trouble is not None:
            return
        try:
            provider = load(self.chosen, self._environ)
            if self.chosen.zone is not None:
                self.chosen = self.chosen._replace(zone=provider.check_zone(self.chosen.zone))
            self._provider = provider
        except LiveError as error:
            self.trouble = error.words
        except Exception as error:  # another package's code: an error in it costs the live value, never a cell
            self.trouble = f"cannot be used ({type(error).__name__})"

    def _question(self, zone: Zone) -> None:
        """Ask for one zone: the disk first, then the provider."""
        try:
            if self._monotonic() >= zone.next_s:
                if not self._look_up(zone):
                    self._fetch(zone)
                zone.fails, zone.trouble = 0, None
        except LiveError as error:
            self._failed(zone, error)
        except Exception as error:  # another package's code, or an answer that nobody thought of
            self._failed(zone, LiveError(f"cannot be asked ({type(error).__name__})"))
        finally:
            if zone.ahead_wanted and zone.trouble is None:
                self._look_ahead(zone)
            zone.ahead_wanted = False  # one that has just refused is not asked for more
            zone.asked = False
            zone.tried.set()

    def _look_up(self, zone: Zone) -> bool:
        """Take the value on the disk where it is newer than what is known. Whether it holds now."""
        kept = stored.read(self.chosen.name, zone.name, self._environ, self._present())
        if kept is None or self._provider is None:
            return False
        if zone.quote is None or kept.reading.ends > zone.quote.reading.ends:
            try:
                zone.quote = self._quote(*kept)
            except LiveError:
                return False  # it was kept by another release, or by a provider that has changed
        if kept.reading.ends <= self._present():
            return False
        self._schedule(zone, kept.reading)
        return True

    def _fetch(self, zone: Zone) -> None:
        assert self._provider is not None
        reading = self._provider.latest(zone.name, self._get)
        asked_at = self._present()
        zone.quote = self._quote(checked(reading, asked_at), asked_at)
        self._schedule(zone, reading)
        stored.write(self.chosen.name, zone.name, self._environ, stored.Kept(reading, asked_at))

    def _look_ahead(self, zone: Zone) -> None:
        zone.ahead_next_s = self._monotonic() + AHEAD_S
        if not isinstance(self._provider, Forecasts):
            return
        now = self._present()
        try:
            readings = self._provider.forecast(zone.name, self._get)[:MOST_AHEAD]
            ahead = [reading._replace(estimated=True) for reading in readings if reading.ends > now]
            zone.ahead = tuple(self._quote(checked(reading, reading.begins), now) for reading in ahead)
            zone.ahead_trouble = None
        except LiveError as error:
            zone.ahead, zone.ahead_trouble = (), error.words.partition(". ")[0]
        except Exception as error:  # another package's code, or an answer that nobody thought of
            zone.ahead, zone.ahead_trouble = (), f"cannot be asked ({type(error).__name__})"

    def _schedule(self, zone: Zone, reading: Reading) -> None:
        """When to ask again after an answer."""
        left_s = (reading.ends - self._present()) / timedelta(seconds=1)
        wait_s = max(SOONEST_S, left_s) if left_s > 0.0 else LATE_S
        zone.next_s = self._monotonic() + wait_s + SPREAD_S * self._chance()

    def _failed(self, zone: Zone, error: LiveError) -> None:
        zone.fails += 1
        wait_s = LONGEST_RETRY_S if error.refused else FIRST_RETRY_S * 2.0 ** min(zone.fails - 1, 10)
        wait_s = min(wait_s, LONGEST_RETRY_S) * (0.75 + 0.5 * self._chance())
        if error.retry_after_s is not None:
            wait_s = max(wait_s, min(error.retry_after_s, MOST_RETRY_AFTER_S))
        zone.next_s = self._monotonic() + wait_s
        zone.trouble = error.words
