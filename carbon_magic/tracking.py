"""`track`: what any piece of Python code costs, in notebooks and in scripts.

    with track("train") as t:
        model.fit(x, y)
    t.energy_j

It is a context manager (`with` and `async with`), a decorator (of functions, coroutine functions and generators) and
can be started and stopped by hand. One object may be used again and again: each time is a measurement of its own. A
measurement inside another one, on the same thread and in the same task, is part of it; the outer one is recorded.
"""

from __future__ import annotations

import inspect
import os
import types
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, cast, overload

from carbon_magic.books import Asked
from carbon_magic.grid.intensity import place
from carbon_magic.ledger.record import CellRecord
from carbon_magic.measured import Figures, Run, Span, ending, shown, shown_html
from carbon_magic.pieces import Pieces
from carbon_magic.whose import books
from carbon_magic.wrapping import measuring

MAX_RUNS = 1000
"""So many of its latest measurements a `Track` remembers."""
MAX_NAME = 200
"""A longer name is cut."""

_F = TypeVar("_F", bound=Callable[..., Any])
_Error = BaseException | None

_inside: ContextVar[tuple[tuple[Track, Run], ...]] = ContextVar("carbon_magic_inside", default=())
"""What runs in this thread or task, outermost first."""


class Track(Figures):
    """What `track` gives: the figures of its latest measurement, while it runs and after."""

    def __init__(self, name: str | None, region: str | None, pue: float | None, keep: bool) -> None:
        self.name = name
        self._asked = Asked(None if name is None else name[:MAX_NAME], region, pue)
        self._keep = keep
        self._runs: deque[Run] = deque(maxlen=MAX_RUNS)
        self._latest: Run | None = None
        self._started: Run | None = None

    # As a context manager

    def __enter__(self) -> Track:
        self._begin(self._asked)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: _Error, trace: types.TracebackType | None) -> None:
        self._end(self._mine(), error)

    async def __aenter__(self) -> Track:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: _Error, trace: types.TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # By hand

    def start(self) -> Track:
        """Begin a measurement, which `stop` ends, in whatever thread.

        Raises:
            RuntimeError: it has been started and not stopped.
        """
        if self._started is not None and self._started.running:
            raise RuntimeError("it has been started already; call stop() first, or track(...) for another one")
        self._started = self._begin(self._asked)
        return self

    def stop(self) -> Track:
        """End the measurement. One that has ended stays as it is.

        Raises:
            RuntimeError: it has never been started.
        """
        if self._started is None:
            raise RuntimeError("it has not been started; call start() first")
        self._end(self._started, None)
        return self

    # As a decorator

    def __call__(self, function: _F) -> _F:
        """Measure each call of a function, of a coroutine function from its start to its end, and of a generator
        the time it takes to advance, without what is done with its items. The function gets an attribute `track`.

        Raises:
            TypeError: it is no function.
        """
        if isinstance(function, (staticmethod, classmethod)):
            return cast(_F, type(function)(self(function.__func__)))
        if inspect.isclass(function) or not callable(function):
            raise TypeError(f"track measures functions, not {function!r}")
        asked = self._asked
        if asked.label is None:
            label = getattr(function, "__qualname__", None) or type(function).__name__
            asked = asked._replace(label=str(label).rpartition("<locals>.")[2][:MAX_NAME])
        measured = measuring(function, lambda: _Call(self, asked), lambda: self._begin_pieces(asked))
        vars(measured)["track"] = self
        return cast(_F, measured)

    # What it has measured

    @property
    def runs(self) -> tuple[Run, ...]:
        """The measurements that have ended, oldest first, the latest thousand; each has the same figures as this."""
        return tuple(self._runs)

    @property
    def record(self) -> CellRecord | None:
        return None if self._latest is None else self._latest.record

    @property
    def running(self) -> bool:
        return self._latest is not None and self._latest.running

    @property
    def duration_s(self) -> float | None:
        return None if self._latest is None else self._latest.duration_s

    def __repr__(self) -> str:
        return shown(self, self.name)

    def _repr_html_(self) -> str | None:
        return shown_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, which may go to another process with the function it belongs to, measures for itself."""
        return Track, (self.name, self._asked.region, self._asked.pue, self._keep)

    # Beginnings and ends

    def _begin(self, asked: Asked) -> Run:
        cell, home = self._keep and not _in_a_cell(), books()
        run = Span(asked.label, home, home.begin(asked, cell=cell), cell=cell)
        self._latest = run
        _inside.set((*_running(), (self, run)))
        return run

    def _end(self, run: Run | None, error: _Error) -> None:
        if run is None or not run.running:
            return
        if run.cell and run.here:
            _promote_next()
        run.end(ending(error))
        self._runs.append(run)
        outer = next((one for track, one in reversed(_running()) if track is self and one is not run), None)
        self._latest = run if outer is None else outer
        _inside.set(_running())

    def _mine(self) -> Run | None:
        """The latest measurement of this object in this thread or task; one that was begun elsewhere, if none was."""
        for track, run in reversed(_inside.get()):
            if track is self and run.running and run is not self._started:
                return run
        return self._latest

    def _begin_pieces(self, asked: Asked) -> _Generator:
        pieces = Pieces(asked, books(), cell=self._keep and not _in_a_cell())
        self._latest = pieces
        return _Generator(self, pieces)


class _Call:
    """Around one call of a decorated function."""

    __slots__ = ("_asked", "_run", "_track")

    def __init__(self, owner: Track, asked: Asked) -> None:
        self._track, self._asked = owner, asked

    def __enter__(self) -> None:
        self._run = self._track._begin(self._asked)

    def __exit__(self, kind: type[BaseException] | None, error: _Error, trace: types.TracebackType | None) -> None:
        self._track._end(self._run, error)


class _Generator:
    """Around each advance of one decorated generator: what is measured inside is part of it."""

    __slots__ = ("_pieces", "_track")

    def __init__(self, owner: Track, pieces: Pieces) -> None:
        self._track, self._pieces = owner, pieces

    def __enter__(self) -> None:
        _inside.set((*_inside.get(), (self._track, self._pieces)))
        self._pieces.advance_begins()

    def __exit__(self, kind: type[BaseException] | None, error: _Error, trace: types.TracebackType | None) -> None:
        self._pieces.advance_ends(error)
        _inside.set(tuple(entry for entry in _inside.get() if entry[1] is not self._pieces))

    def end(self, error: _Error) -> None:
        if self._pieces.running:
            self._pieces.end(ending(error))
            self._track._runs.append(self._pieces)


def _running() -> tuple[tuple[Track, Run], ...]:
    pid = os.getpid()
    return tuple(entry for entry in _inside.get() if entry[1].running and entry[1].pid == pid)


def _promote_next() -> None:
    """What was started by hand inside a measurement that ends first goes on as one of its own."""
    for track, run in _running():
        if isinstance(run, Span) and run is track._started and track._keep and not run.cell and run.here:
            run.promote()
            return


def _in_a_cell() -> bool:
    """Whether a recorded measurement runs around this one."""
    return any(run.cell and run.here for _, run in _inside.get())


@overload
def track(name: _F) -> _F: ...


@overload
def track(
    name: str | None = None, *, region: str | None = None, pue: float | None = None, keep: bool = True
) -> Track: ...


def track(
    name: Any = None, *, region: str | None = None, pue: float | None = None, keep: bool = True, **unknown: Any
) -> Any:
    """Measure what a piece of code costs in energy and CO2e.

    Args:
        name: what the measurement is called; a decorated function has its own name.
        region: the grid that the energy comes from: `FR`, `US-CA`, `aws:eu-north-1`.
        pue: power usage effectiveness of the building, 1 to 10; without, 1 or a cloud region's published one.
        keep: whether it goes into the ledger.

    Returns:
        A `Track`; as a decorator without arguments (`@track`), the function, measured.

    Raises:
        TypeError: there is no such option; the nearest is named. Or a value is of the wrong type.
        UnknownRegion: there is no such region; the nearest are named.
        ValueError: the PUE is out of range.
    """
    if unknown:
        raise TypeError(_no_option(next(iter(unknown))))
    if name is not None and not isinstance(name, str):
        if callable(name) or isinstance(name, (staticmethod, classmethod)):
            return Track(None, region, pue, keep)(name)
        raise TypeError(f"the name is text, not {name!r}")
    if region is not None and not isinstance(region, str):
        raise TypeError(f"the region is text, for one 'FR', not {region!r}")
    if pue is not None and (isinstance(pue, bool) or not isinstance(pue, (int, float))):
        raise TypeError(f"the PUE is a number, not {pue!r}")
    if not isinstance(keep, bool):
        raise TypeError(f"keep is True or False, not {keep!r}")
    if region is not None or pue is not None:
        place(region, "user", pue)
    return Track(name, region, pue, keep)


_OPTIONS = ("name", "region", "pue", "keep")
track.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        parameter
        for parameter in inspect.signature(track).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
)


def _no_option(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, _OPTIONS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_OPTIONS)}"
    return f"track() has no option {name!r}; {hint}"
