"""A provider being asked for one zone after another: the disk first, then the provider, and when it is asked again.

In the live thread; in a process that was forked, which never asks, whoever wants to know looks at the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone

from carbon_magic.grid.live import stored
from carbon_magic.grid.live.choose import Choice, load
from carbon_magic.grid.live.provider import Forecasts, Get, LiveError, Provider, Reading, checked, lifecycle_range
from carbon_magic.grid.live.zone import Quote, Zone

SOONEST_S = 60.0
"""No zone is asked for oftener, but after a failure."""
LATE_S = 300.0
"""A provider whose latest value is of an hour that is over is asked again after this."""
SPREAD_S = 20.0
"""So many seconds at most are added by chance, so that not all kernels ask when the hour is over."""
FIRST_RETRY_S = 15.0
LONGEST_RETRY_S = 900.0
MOST_RETRY_AFTER_S = 3600.0
AHEAD_S = 1800.0
"""A forecast is asked for only when somebody wants to see it, and no oftener than this."""
MOST_AHEAD = 200


class Asker:
    """Asks one provider.

    Args:
        chosen: the provider, and a zone if one was named.
        environ: where tokens, addresses and the folder of the records are looked for.
        get: how it is asked.
        clock, monotonic: the two clocks, in seconds.
        chance: a number from 0 to 1 at each call.
    """

    def __init__(
        self,
        chosen: Choice,
        environ: Mapping[str, str],
        get: Get,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.chosen = chosen
        self.provider: Provider | None = None
        """The provider, once it is loaded."""
        self.trouble: str | None = None
        """Why it cannot be used, in words."""
        self._environ = environ
        self._get = get
        self._clock = clock
        self._monotonic = monotonic
        self._chance = chance

    def load(self) -> None:
        """Load the provider, if that has not been tried."""
        if self.provider is not None or self.trouble is not None:
            return
        try:
            provider = load(self.chosen, self._environ)
            if self.chosen.zone is not None:
                self.chosen = self.chosen._replace(zone=provider.check_zone(self.chosen.zone))
            self.provider = provider
        except LiveError as error:
            self.trouble = error.words
        except Exception as error:  # another package's code: an error in it costs the live value, never a cell
            self.trouble = f"cannot be used ({type(error).__name__})"

    def ask(self, zone: Zone) -> None:
        """Ask for one zone: the disk first, then the provider."""
        try:
            if self._monotonic() >= zone.next_s:
                if not self.look_up(zone):
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

    def look_up(self, zone: Zone) -> bool:
        """Take the value on the disk where it is newer than what is known. Whether it holds now."""
        kept = stored.read(self.chosen.name, zone.name, self._environ, self._present())
        if kept is None or self.provider is None:
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
        assert self.provider is not None
        reading = self.provider.latest(zone.name, self._get)
        asked_at = self._present()
        zone.quote = self._quote(checked(reading, asked_at), asked_at)
        self._schedule(zone, reading)
        stored.write(self.chosen.name, zone.name, self._environ, stored.Kept(reading, asked_at))

    def _look_ahead(self, zone: Zone) -> None:
        zone.ahead_next_s = self._monotonic() + AHEAD_S
        if not isinstance(self.provider, Forecasts):
            return
        now = self._present()
        try:
            readings = self.provider.forecast(zone.name, self._get)[:MOST_AHEAD]
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

    def _present(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), timezone.utc)

    def _quote(self, reading: Reading, asked_at: datetime) -> Quote:
        assert self.provider is not None
        fresh = lifecycle_range(self.provider, reading)
        return Quote(reading, fresh, lifecycle_range(self.provider, reading, passed=True), asked_at)
