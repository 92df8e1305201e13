"""`carbon-magic monitor` from its arguments to its exit code.

A command runs as it would have run alone: the same terminal, the same files, the same signals, and its exit status is
that of the whole. Ctrl-C reaches it from the terminal; what is sent to this process is passed on. What a command
leaves behind in the background is followed up to its own end, and not after.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from carbon_magic import written
from carbon_magic.commands.live import live
from carbon_magic.grid.choose import said_by
from carbon_magic.grid.intensity import place
from carbon_magic.grid.regions import DataFileError, UnknownRegion, require
from carbon_magic.ledger.record import CellRecord, Status
from carbon_magic.monitor import Monitor, Now
from carbon_magic.run import UsageError
from carbon_magic.run.output import check_writable, records_json, write_atomically
from carbon_magic.snapshot import Place
from carbon_magic.troubles import in_words
from carbon_magic.views.parts import NAMES, Words
from carbon_magic.views.plain import clean

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""As every shell has it."""

_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGBREAK")
_OF_THE_KEYBOARD = ("SIGINT", "SIGQUIT")


def monitor(
    command: list[str], *, region: str | None = None, interval_s: float = 1.0, json_file: str | None = None
) -> int:
    """Measure a command, or the machine until Ctrl-C, and say what it cost.

    Args:
        command: its words; none for the machine.
        region: the id or name of the grid; None for the environment's.
        interval_s: seconds between two readings.
        json_file: where the record goes, `-` for standard output; None for nowhere.

    Returns:
        The command's exit status, 128 + the signal's number where one ended it, 127 where there is no such command,
        126 where it cannot be executed; without a command 0 after Ctrl-C.

    Raises:
        UsageError: the region, the provider of live intensities or the file cannot be used.
    """
    if json_file is not None and json_file != "-":
        check_writable(Path(json_file), "--json")
    label = clean(os.path.basename(command[0]), 60) if command else "machine"  # noqa: PTH119 (what was typed)
    try:
        watch = Monitor(label, machine=not command, place=_place(region), interval_s=interval_s)
    except ValueError as error:  # one of the environment's words on the grid, which it names
        raise UsageError(clean(str(error), 500)) from None
    try:
        code, record = _command(watch, command, interval_s) if command else _machine(watch, interval_s)
        if record is None:
            return code
        for problem in watch.problems():
            sys.stderr.write(f"carbon-magic monitor: {clean(problem, 300)}\n")
    finally:
        watch.close()
    return _deliver(record, code, json_file, of_command=bool(command))


def _command(watch: Monitor, command: list[str], interval_s: float) -> tuple[int, CellRecord | None]:
    with _Signals() as signals:
        watch.start()
        try:
            process = subprocess.Popen(command, close_fds=False)
        except OSError as error:
            watch.drop()
            # Of an empty name the system says that it is forbidden, a shell that there is none.
            missing = not command[0] or isinstance(error, (FileNotFoundError, NotADirectoryError))
            reason = "command not found" if missing else f"cannot be executed: {error.strerror or error}"
            shown = clean(command[0], 300) or "''"
            sys.stderr.write(f"carbon-magic monitor: {shown}: {reason}\n")
            return NOT_FOUND if missing else NOT_EXECUTABLE, None
        signals.pass_on = lambda number: _send(process, number)
        with live(sys.stderr, lambda: line(watch.now()), every_s=interval_s, shared=True):
            code = process.wait()
        return (code if code >= 0 else 128 - code), watch.stop(_status(code))


def _machine(watch: Monitor, interval_s: float) -> tuple[int, CellRecord | None]:
    over = threading.Event()
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        over.set()

    with _Signals(lambda number, keyboard: end(number)):
        watch.start()
        with live(sys.stderr, lambda: line(watch.now()), every_s=interval_s, shared=False):
            while not over.wait(0.5):  # Windows wakes no wait without an end
                pass
        record = watch.stop("ok")
    return (0 if ended_by[0] == signal.SIGINT else 128 + ended_by[0]), record


class _Signals:
    """While entered, no signal ends this process.

    Args:
        take: called with each signal's number and whether it may have come from the keyboard; without, `pass_on` gets
            those that did not, once it is set.
    """

    def __init__(self, take: Callable[[int, bool], None] | None = None) -> None:
        self._take = take or self._command
        self._pass_on: Callable[[int], None] | None = None
        self._waiting: list[int] = []
        self._before: dict[int, object] = {}

    @property
    def pass_on(self) -> Callable[[int], None] | None:
        """Where signals go that are the command's."""
        return self._pass_on

    @pass_on.setter
    def pass_on(self, send: Callable[[int], None]) -> None:
        self._pass_on = send
        while self._waiting:
            send(self._waiting.pop(0))

    def __enter__(self) -> _Signals:
        for name in (*_PASSED_ON, *_OF_THE_KEYBOARD):
            number = getattr(signal, name, None)
            # What is ignored already (nohup) stays so, for the command too.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _came(self, number: int, frame: FrameType | None) -> None:
        keyboard = number in {getattr(signal, name, None) for name in _OF_THE_KEYBOARD}
        self._take(number, keyboard)

    def _command(self, number: int, keyboard: bool) -> None:
        # From the terminal it reaches every process in the foreground, the command too.
        if keyboard and _in_foreground():
            return
        if self._pass_on is None:
            self._waiting.append(number)
        else:
            self._pass_on(number)


def _in_foreground() -> bool:
    """Whether the keyboard's signals reach this process and what it has started."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        process.send_signal(number)
    except OSError:
        return  # it has become another user's, or has just ended


def _status(code: int) -> Status:
    if code == 0:
        return "ok"
    if code in (-signal.SIGINT, 128 + signal.SIGINT):
        return "interrupted"
    return "killed" if code < 0 else "error"


def line(now: Now) -> str:
    """`12 W · 0.34 Wh · 14 mg CO2e · 1:40 · CPU 10 W, DRAM 2.1 W`: power now, and the rest so far."""
    parts = [
        written.NOT_YET if now.power_w is None else written.power(now.power_w),
        written.NOT_YET if now.energy_j is None else written.energy(now.energy_j.best),
    ]
    if now.emissions_g is not None:
        grams = now.emissions_g
        mass = written.mass(grams.best) if now.region_known else written.mass_span(grams.low, grams.high)
        parts.append(f"{mass}{written.NBSP}{written.CO2E_SCREEN}")
    parts.append(written.running(now.duration_s))
    split = [f"{NAMES[domain]} {written.power(watts)}" for domain, watts in now.parts_w]
    if len(split) > 1:
        parts.append(", ".join(split))
    return " · ".join(parts)


_METHODS = "  How the figures are made: carbon-magic methods"


def _deliver(record: CellRecord, code: int, json_file: str | None, *, of_command: bool) -> int:
    from carbon_magic.views.result import result_text

    words = Words(
        scope=f"Chips only, {'this command’s share' if of_command else 'the whole machine'}.",
        set_region="--region FR",
        unmeasured="No sensor and no model gave figures for it.",
    )
    shown = f"{result_text(record, words=words)}\n{_METHODS}\n"
    (sys.stderr if of_command or json_file == "-" else sys.stdout).write(shown)
    if json_file == "-":
        sys.stdout.write(records_json([record]))
        sys.stdout.flush()
    elif json_file is not None:
        try:
            write_atomically(Path(json_file), records_json([record]))
        except OSError as error:
            sys.stderr.write(f"carbon-magic monitor: --json {clean(json_file, 300)}: {in_words(error)}\n")
            return code or 2
    return code


def _place(asked: str | None) -> Place | None:
    try:
        require()
        if asked is None:
            return None
        # The environment may know the building's PUE.
        pue = said_by(os.environ).pue
        return place(asked, "user", pue)
    except DataFileError as error:
        raise UsageError(clean(str(error), 500)) from None
    except UnknownRegion as error:
        raise UsageError(f"--region: {clean(str(error), 500)}") from None
