"""How many tracked kernels live in the same part of the machine: they divide its idle energy among them.

Each kernel leaves an empty file in a folder of its user's own; its name says which part of the machine it lives in and
which process it is. Whoever counts looks whether those processes still live, and clears away the files of those that
do not. Where the folder cannot be used, a kernel counts itself alone.

The ledger cannot tell this: a kernel in which nothing has finished yet does not stand there, kernels of one machine may
keep different ones, it does not say which quota a session lives under, and it may be on a network's file system, or be
locked or full, when the count is wanted each second.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from carbon_magic.power import rawread

MAX_FILES = 4096
"""More files than this are not looked at."""


class Neighbours:
    """This kernel among the others of its user in the same `group` (a cgroup with a quota, or the machine)."""

    def __init__(self, group: str, folder: Path | None = None) -> None:
        self._group = sha256(f"{_namespace()}\0{group}".encode()).hexdigest()[:16]
        self._folder = folder or own_folder()
        self._file: Path | None = None
        self.problem: str | None = None
        try:
            make_private(self._folder)
            pid = os.getpid()
            file = self._folder / f"{self._group}-{pid}-{process_started(pid)}"
            file.touch(mode=0o600)
            self._file = file
        except OSError as error:
            self.problem = f"other kernels cannot be counted: {error.strerror or error}"

    def count(self) -> int:
        """Live kernels of the group, this one included; at least 1."""
        alive = set()
        try:
            names = os.listdir(self._folder)[:MAX_FILES]  # noqa: PTH208 (names are all that is needed)
        except OSError:
            return 1
        for name in names:
            group, _, rest = name.partition("-")
            pid, _, started = rest.partition("-")
            if group != self._group or not pid.isascii() or not pid.isdigit():
                continue
            if process_started(int(pid)) == started:
                alive.add(pid)
            else:
                (self._folder / name).unlink(missing_ok=True)
        return max(1, len(alive))

    def leave(self) -> None:
        """Take this kernel's file away. Calling it again does nothing."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                self.problem = f"{error.strerror or error}"  # the next one to count clears it away


def own_folder() -> Path:
    """The folder for files of this user's live processes, in memory where the system has such a place."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(base) / f"carbon-magic-{user}"


def make_private(folder: Path) -> None:
    """A folder that nobody else can write to.

    Raises:
        OSError: it cannot be made, or somebody else made it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise OSError(1, "the folder is not this user's own")


def _namespace() -> str:
    """Process numbers mean something only inside their namespace; containers may share a folder for files."""
    try:
        return str(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 (it points to no path)
    except OSError:
        return ""


def process_started(pid: int) -> str | None:
    """When a process began, in whatever unit the platform has: with the number it names a process for good."""
    if sys.platform == "linux":
        line = rawread.read_once(f"/proc/{pid}/stat")
        fields = line[line.rfind(b")") + 2 :].split() if line else []
        # One that has died and waits to be reaped (Z) lives no more.
        return fields[19].decode() if len(fields) > 19 and fields[0] not in (b"Z", b"X") else None
    import psutil

    try:
        return str(int(psutil.Process(pid).create_time() * 1000))
    except psutil.Error:
        return None
