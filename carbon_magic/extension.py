"""Putting carbon-magic into a running IPython, and taking it out without a trace.

Everything that is registered is remembered in one `Extension`, so that unloading undoes exactly that. The callbacks
that IPython calls around each cell let nothing out: an error in here costs a figure, never a cell.
"""

from __future__ import annotations

import atexit
import signal
import threading
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError

from carbon_magic import session as sessions
from carbon_magic.completion import complete_line
from carbon_magic.config import CarbonMagic
from carbon_magic.magics import CarbonMagics, show_result
from carbon_magic.options import CellTransformer
from carbon_magic.power.sampler import Sampler
from carbon_magic.resident import resident_bytes
from carbon_magic.session import Session

_COMMANDS = ("%carbon", "%%carbon")
_extension: Extension | None = None


class Extension:
    """What is registered in one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.config = CarbonMagic(parent=shell)
        self.session = Session(self.config)
        self._transformer = CellTransformer(self.session.cells.inside_a_cell)
        self.session.cells.options_of = self._transformer.take
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Register everything, then start tracking.

        Raises:
            carbon_magic.grid.regions.UnknownRegion: `CARBON_MAGIC_REGION` names no region.
        """
        shell = self.shell
        magics = CarbonMagics(shell, self.session)
        self._do(lambda: shell.register_magics(magics), lambda: _forget_magics(shell, magics))
        self._do(
            lambda: shell.input_transformers_cleanup.append(self._transformer),
            lambda: shell.input_transformers_cleanup.remove(self._transformer),
        )
        self._do(lambda: shell.configurables.append(self.config), lambda: shell.configurables.remove(self.config))
        for command in _COMMANDS:
            shell.set_hook("complete_command", complete_line, str_key=command)
        self._undo.append(lambda: _forget_completion(shell))
        for name, callback in (("pre_run_cell", self._pre_run_cell), ("post_run_cell", self._post_run_cell)):
            shell.events.register(name, callback)
            self._undo.append(lambda name=name, callback=callback: shell.events.unregister(name, callback))  # type: ignore[misc]
        self._do(lambda: atexit.register(self.session.close), lambda: atexit.unregister(self.session.close))
        if self.config.auto_track:
            self.session.on()
        self.config.observe(self._auto_track, names=["auto_track"])
        self._link()

    def _link(self) -> None:
        """Open the comm where a front end may listen: not in a terminal, and not in a run without one."""
        from carbon_magic.run import feed

        kernel = getattr(self.shell, "kernel", None)
        if kernel is None or feed.order() is not None:
            return
        from carbon_magic.comm.link import Link

        link = Link(self.session, kernel)
        try:
            link.open()
        except Exception as error:
            # A kernel that is not ipykernel's own may have no comms: then there is no panel, and all else works.
            self.session.trouble = f"the comm: {type(error).__name__}: {error}"
            return
        self.session.link = link
        self._undo.append(link.close)

    def reopen_link(self) -> None:
        """Open the comm again where a front end that did not know it has closed it."""
        link = self.session.link
        if link is not None and not link.is_open:
            link.close()
            link.open()

    def remove(self) -> None:
        """Undo what `install` did, in reverse."""
        self.session.close()
        while self._undo:
            self._undo.pop()()

    def _do(self, do: Callable[[], Any], undo: Callable[[], Any]) -> None:
        do()
        self._undo.append(undo)

    def _auto_track(self, change: Any) -> None:
        if change.new:
            self.session.on()
        else:
            self.session.off()

    def _pre_run_cell(self, info: Any) -> None:
        try:
            self.session.cells.pre_run_cell(info, _count_of_next(self.shell))
        except BaseException as error:
            self._keep(error)

    def _post_run_cell(self, result: Any) -> None:
        try:
            window = self.session.cells.post_run_cell(result)
            if window is not None and window.options is not None:
                show_result(self.shell, self.session, window)
        except BaseException as error:
            self.session.cells.forget_run(result)
            # At the end of a cell there is nothing left to interrupt: the signal would hit the next one.
            if not isinstance(error, KeyboardInterrupt) or self.session.cells.inside_a_cell():
                self._keep(error)

    def _keep(self, error: BaseException) -> None:
        """Nothing leaves a callback: IPython would print it, or swallow an interrupt."""
        if isinstance(error, KeyboardInterrupt):
            _hand_back_interrupt(self.session.sampler)
        else:
            self.session.trouble = f"{type(error).__name__}: {error}"


def load(shell: Any, before_bytes: int | None = None) -> None:
    """Install into `shell`, unless it is there already; `before_bytes` is the process's memory before anything of this
    package was imported.

    Raises:
        UsageError: the settings or the environment name a region, a figure or a provider that cannot be.
    """
    global _extension  # noqa: PLW0603 - one kernel has one extension
    if _extension is not None:
        return
    try:
        extension = Extension(shell)
    except ValueError as error:
        if not type(error).__module__.startswith("carbon_magic.grid."):
            raise
        # It is the user's word that is wrong: a line says which, where a traceback would hide it.
        raise UsageError(f"carbon_magic: {error}") from None
    try:
        extension.install()
    except BaseException:
        extension.remove()
        raise
    _extension = extension
    now_bytes = resident_bytes()
    if before_bytes is not None and now_bytes is not None:
        extension.session.loaded_bytes = max(0, now_bytes - before_bytes)
    sessions.set_current(extension.session)


def reopen_link() -> None:
    """What a front end asks for that finds the extension loaded and no comm: another front end has closed it."""
    if _extension is not None:
        _extension.reopen_link()


def unload(shell: Any) -> None:
    """Take it out again, if it is there."""
    global _extension
    extension, _extension = _extension, None
    sessions.set_current(None)
    if extension is not None:
        extension.remove()


def _count_of_next(shell: Any) -> int | None:
    """The number of the cell that begins. IPython 9.10 counts on before the event, older ones after the cell."""
    import IPython

    early = IPython.version_info[:2] >= (9, 10)
    return int(shell.execution_count) - (1 if early else 0)


def _hand_back_interrupt(sampler: Sampler | None) -> None:
    """IPython swallows a KeyboardInterrupt in an event's callback: raise it again once that has returned."""
    if sampler is not None:
        sampler.call_soon(_interrupt_main)
    else:
        threading.Timer(0.01, _interrupt_main).start()


def _interrupt_main() -> None:
    """What Ctrl-C does: on POSIX a real signal, as only that ends a system call that waits."""
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


def _forget_magics(shell: Any, magics: CarbonMagics) -> None:
    """IPython has no way to unregister magics, which also list themselves among what `%config` knows."""
    manager = shell.magics_manager
    for kind in ("line", "cell"):
        manager.magics[kind].pop("carbon", None)
    manager.registry.pop(CarbonMagics.__name__, None)
    if magics in shell.configurables:
        shell.configurables.remove(magics)


def _forget_completion(shell: Any) -> None:
    """IPython has no way to unregister a completer: take it out of the dispatcher it was put into."""
    dispatcher = shell.strdispatchers.get("complete_command")
    if dispatcher is None:
        return
    for command in _COMMANDS:
        chain = dispatcher.strs.get(command)
        if chain is not None:
            chain.chain[:] = [
                (rank, hook) for rank, hook in chain.chain if getattr(hook, "__func__", hook) is not complete_line
            ]
            if not chain.chain:
                del dispatcher.strs[command]
