"""Where work runs, by what is said of it: in a kernel by magics, its settings and the environment, else by that alone.

Each is stronger than the ones after it; where none names a grid, it is looked where the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carbon_magic.grid.choose import VARIABLES, Whereabouts, choose, said_by
from carbon_magic.grid.own import Said
from carbon_magic.snapshot import Place

if TYPE_CHECKING:
    from carbon_magic.config import CarbonMagic

GRID = ("region", "intensity", "intensity_low", "intensity_high", "intensity_name", "mix")
"""The settings that name a grid. One that is set takes the place of what a magic said before."""


class Placing:
    """The grid of a kernel's session.

    Args:
        config: the settings, which may change at any time.
        environ: the process's environment.
        root: where the machine's files are.
        said: by whoever runs the notebook.
    """

    def __init__(self, config: CarbonMagic, environ: Mapping[str, str], root: Path, said: Said) -> None:
        self.whereabouts = Whereabouts(root, environ)
        self._config = config
        self._environ = environ
        self._said = said

    def place(self, cell: Said | None = None) -> Place:
        """The grid by what was said: for this cell, by magic, by config, by the environment; else where this is.

        Raises:
            UnknownRegion: there is no such region; the nearest are named.
            ValueError: an own figure, the mix, the PUE or the note cannot be.
        """
        config = self._config
        here = Said(config.region, config.intensity, mix=config.mix, pue=config.pue, note=config.region_note)
        if config.intensity is not None:
            bounds = {"intensity_low": config.intensity_low, "intensity_high": config.intensity_high}
            here = here._replace(**bounds, intensity_name=config.intensity_name)
        said = [("user", self._said), ("config", here), ("environment", said_by(self._environ))]
        return choose(said if cell is None else [("cell", cell), *said], self.whereabouts)

    def say(self, said: Said | None) -> Place:
        """What a magic says of the grid, from now on; None takes back all that magics said before.

        A grid takes the place of the one before, with its PUE; a PUE or a note alone leaves the grid.

        Raises:
            UnknownRegion: there is no such region; the nearest are named.
            ValueError: an own figure, the mix, the PUE or the note cannot be. What was said before holds then.
        """
        before = self._said
        if said is None:
            self._said = Said()
        elif said.names_a_grid:
            self._said = said._replace(note=before.note if said.note is None else said.note)
        else:
            given = {name: value for name, value in said._asdict().items() if value is not None}
            self._said = before._replace(**given)
        try:
            return self.place()
        except ValueError:
            self._said = before
            raise

    def configured(self) -> None:
        """A setting names a grid, from now on."""
        self._said = Said(note=self._said.note)


class Surroundings:
    """The grid of a process without a session; the environment may change.

    Args:
        environ: the process's environment.
        root: where the machine's files are.
        moved: called where the cloud tells in a thread of its own where this is.
    """

    def __init__(self, environ: Mapping[str, str], root: Path, moved: Callable[[], None]) -> None:
        self._environ = environ
        self._whereabouts = Whereabouts(root, environ)
        self._moved = moved
        self._placed: tuple[Sequence[str | None], Place] | None = None
        """What the environment said when it was looked at last, and the grid that this is."""

    @property
    def place(self) -> Place:
        """The grid at present.

        Raises:
            ValueError: what the environment says cannot be.
        """
        asked = [self._environ.get(name) for name in VARIABLES]
        placed = self._placed
        if placed is None or asked != placed[0]:
            placed = (asked, choose([("environment", said_by(self._environ))], self._whereabouts))
            self._placed = placed
            self._whereabouts.ask_cloud(False, self._moved)
        return placed[1]

    def forget(self) -> Place | None:
        """Look anew the next time; gives what it was, if anybody asked."""
        before, self._placed = self._placed, None
        return None if before is None else before[1]
