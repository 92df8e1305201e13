"""Reading files of procfs and sysfs without giving up the GIL.

`os.pread` releases the GIL, and where the interpreter is busy each call then waits a switch interval (5 ms) to get it
back. These files answer from memory in a microsecond, so on Linux they are read by the C library's `pread` through
`ctypes.PyDLL`, which keeps the GIL. Nothing that may block belongs here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_CHUNK = 4096


class HeldFile:
    """A file held open, read from its beginning each time.

    Raises:
        OSError: it cannot be opened, or later: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        self._identity = _identity(self._fd)
        self._buffer = ctypes.create_string_buffer(_CHUNK)
        self._path = path

    def read(self) -> bytes:
        """The file's first 4 KiB as they are now."""
        if self._fd < 0:
            raise OSError(9, "closed", str(self._path))
        return _pread(self._fd, self._buffer, self._path)

    def close(self) -> None:
        """Give the descriptor back. Calling it again does nothing.

        A cell may have closed it (daemons close all they find), and its number may be that of the user's file now.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0 and _identity(fd) == self._identity:
            os.close(fd)


def _identity(fd: int) -> tuple[int, int] | None:
    """Which file a descriptor is of, or None where it is closed."""
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


if sys.platform == "linux":
    _libc = ctypes.PyDLL(None, use_errno=True)
    _libc.pread.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_longlong]
    _libc.pread.restype = ctypes.c_ssize_t
    _libc_pread = getattr(_libc, "pread64", _libc.pread)
    _libc_pread.argtypes = _libc.pread.argtypes
    _libc_pread.restype = _libc.pread.restype

    _libc.open.argtypes = [ctypes.c_char_p, ctypes.c_int]
    _libc.close.argtypes = [ctypes.c_int]
    _libc.opendir.argtypes = [ctypes.c_char_p]
    _libc.opendir.restype = ctypes.c_void_p
    _libc.closedir.argtypes = [ctypes.c_void_p]
    _libc.readlink.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
    _libc.readlink.restype = ctypes.c_ssize_t
    _libc_readdir = getattr(_libc, "readdir64", _libc.readdir)
    _libc_readdir.argtypes = [ctypes.c_void_p]
    _libc_readdir.restype = ctypes.c_void_p
    _libc.waitid.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_void_p, ctypes.c_int]
    _P_ALL = 0
    _LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT | 0x40000000
    """The last is `__WALL`: children of any kind."""
    _child = ctypes.create_string_buffer(256)
    """Room for a `siginfo_t`, which nobody reads."""
    _NAME_OFFSET = 19
    """Where the name stands in a `dirent64`: after 8 bytes of inode, 8 of offset, 2 of length and 1 of type."""

    def _pread(fd: int, buffer: ctypes.Array[ctypes.c_char], path: Path) -> bytes:
        size = _libc_pread(fd, buffer, _CHUNK, 0)
        if size < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
        return ctypes.string_at(buffer, size)

    def has_children() -> bool:
        """Whether this process has any child, dead or alive: a fraction of what listing them takes. None is reaped."""
        return _libc.waitid(_P_ALL, 0, _child, _LOOK) == 0 or ctypes.get_errno() != errno.ECHILD

    def read_once(path: str) -> bytes | None:
        """The first 4 KiB of a file of procfs, or None where it cannot be read (its process has ended, for one)."""
        fd = _libc.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC)
        if fd < 0:
            return None
        buffer = ctypes.create_string_buffer(_CHUNK)
        size = _libc_pread(fd, buffer, _CHUNK, 0)
        _libc.close(fd)
        return buffer.raw[:size] if size >= 0 else None

    def list_names(path: str) -> list[str]:
        """The names in a folder of procfs without `.` and `..`; none where it cannot be read."""
        try:
            return first_names(path)
        except PermissionError:
            return []

    def first_names(path: str, most: int = sys.maxsize) -> list[str]:
        """The first names in a folder of procfs without `.` and `..`; none where it is not there (any more).

        Raises:
            PermissionError: nobody may look into it but its owner.
        """
        folder = _libc.opendir(path.encode())
        if not folder:
            number = ctypes.get_errno()
            if number in (errno.EACCES, errno.EPERM):
                raise PermissionError(number, os.strerror(number), path)
            return []
        names: list[str] = []
        while len(names) < most and (entry := _libc_readdir(folder)):
            name = ctypes.string_at(entry + _NAME_OFFSET).decode("utf-8", "replace")
            if name not in (".", ".."):
                names.append(name)
        _libc.closedir(folder)
        return names

    def link_of(path: str) -> str:
        """Where a link of procfs leads, its first 256 bytes; empty where it cannot be read (any more)."""
        buffer = ctypes.create_string_buffer(256)
        size = _libc.readlink(path.encode(), buffer, len(buffer))
        return buffer.raw[: max(size, 0)].decode("utf-8", "replace")

else:

    def _pread(fd: int, buffer: ctypes.Array[ctypes.c_char], path: Path) -> bytes:
        os.lseek(fd, 0, os.SEEK_SET)
        return os.read(fd, _CHUNK)
