"""Books over a made-up machine, with cells opened and closed by hand."""

from __future__ import annotations

from pathlib import Path

from machines.rig import Rig

from carbon_magic.accounts import Accounts
from carbon_magic.describe import Facts
from carbon_magic.grid.intensity import place
from carbon_magic.options import CellOptions
from carbon_magic.power.discover import discover
from carbon_magic.power.share import Part
from carbon_magic.windows import Window

PACKAGE = "intel-rapl:0"
FACTS = Facts("session", "2026-01-01T00:00:00+00:00", "project", "a.ipynb", "0", "desktop", "dedicated", "Mine.", 1.0)


class Books:
    """Accounts over a rig, whose region is said by the user."""

    def __init__(self, folder: Path, region: str | None = "FR") -> None:
        self.rig = Rig(folder, "intel-desktop", {PACKAGE: 5_000_000})
        usage = self.rig.usage
        self.accounts = Accounts(FACTS, place(region, "user"), lambda: Part(1.0, 1.0, 1.0, 20))
        sampler = self.rig.made(discover(self.rig.machine, lambda: usage.busy_s), self.accounts.on_tick)
        self.accounts.begin(sampler)
        self.rig.tick()

    def open(self, options: CellOptions | None = None, region: str | None = None, *, inner: bool = False) -> Window:
        window = Window(1, "id", options, place(region, "cell") if region else None, inner=inner)
        window.opened_s = self.rig.sampler.border()
        self.accounts.opened(window)
        return window

    def close(self, window: Window) -> None:
        window.status = "ok"
        window.closed_s = self.rig.sampler.border()
        self.accounts.closed(window, window.closed_s)

    def run(self, seconds: int, watts: float, own: float = 0.0) -> None:
        for _ in range(seconds):
            self.rig.run(1.0, {PACKAGE: watts}, own=own)
            self.rig.tick()
