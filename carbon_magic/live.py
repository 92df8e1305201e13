"""Whether live intensities are in force, and whose: by magic, configuration or environment, and else none.

Nothing of what asks a network is imported before a provider is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic.accounts import Accounts
from carbon_magic.snapshot import Place

if TYPE_CHECKING:
    from carbon_magic.grid.live.watch import Live

VARIABLE = "CARBON_MAGIC_LIVE"


class LiveState(NamedTuple):
    """What there is to say of it."""

    live: Live | None
    """None where it is off."""
    source: str
    """Who switched it: `user`, `config`, `environment`."""
    base: Place
    """The place by its annual figure."""
    place: Place
    """The place as energy is converted there now."""


class LiveSwitch:
    """Gives one process's books a source of live intensities, or takes it away.

    Args:
        accounts: the books.
        environ: the process's environment.
        setting: the configured provider.

    Raises:
        UnknownProvider: the configuration or `CARBON_MAGIC_LIVE` names no provider.
    """

    def __init__(
        self,
        accounts: Accounts,
        environ: Mapping[str, str] = os.environ,
        setting: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._accounts = accounts
        self._environ = environ
        self._setting = setting
        self._said: str | None = None
        self._in_force: str | None = None
        self.live: Live | None = None
        self.source = ""
        self.refresh()

    def say(self, asked: str) -> None:
        """From now on this provider, or none with `off`, whatever is configured.

        Raises:
            UnknownProvider: there is no such provider; the nearest are named.
        """
        self._put(asked, "user", again=True)
        self._said = asked

    def refresh(self, *, forget_said: bool = False) -> None:
        """Look again at what is configured.

        Args:
            forget_said: whether the configuration has just been set, and so holds in place of what was said.

        Raises:
            UnknownProvider: it names no provider.
        """
        if forget_said:
            self._said = None
        for asked, source in (
            (self._said, "user"),
            (self._setting(), "config"),
            (self._environ.get(VARIABLE, "").strip(), "environment"),
        ):
            if asked:
                self._put(asked, source)
                return
        self._put("", "")

    def ask_now(self, wait_s: float) -> None:
        """Have the present value asked for where it is due, and wait for it so long at most."""
        if self.live is not None:
            self.live.ask_now(self._accounts.place, wait_s)

    def state(self) -> LiveState:
        """What is in force now."""
        base = self._accounts.place
        place = base if self.live is None else self.live.now(base, wanted=False).place
        return LiveState(self.live, self.source, base, place)

    def problems(self) -> list[str]:
        """What does not work at present, in words."""
        return [] if self.live is None else self.live.problems()

    def close(self) -> None:
        """Ask nobody any more."""
        if self.live is not None:
            self.live.close()

    def _put(self, asked: str, source: str, *, again: bool = False) -> None:
        """Switch to a provider, unless it is in force; `again`: even then, as its token may have been set."""
        if asked == self._in_force and not again:
            self.source = source
            return
        live: Live | None = None
        if asked:
            from carbon_magic.grid.live.choose import UnknownProvider, choice

            try:
                chosen = choice(asked)
            except UnknownProvider as error:
                raise UnknownProvider(f"{VARIABLE}: {error}" if source == "environment" else str(error)) from None
            if chosen is not None:
                from carbon_magic.grid.live.watch import Live

                live = Live(chosen, self._environ, home=lambda: self._accounts.place.region)
        self.close()
        self.live, self.source, self._in_force = live, source, asked
        self._accounts.held.source = live
