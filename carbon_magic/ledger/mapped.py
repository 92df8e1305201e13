"""A file in memory that is written like memory: what stands in it survives the process that is killed.

Writing takes less than a microsecond, never waits, never gives up the GIL and needs no descriptor that a cell could
close. The file is filled before it is mapped, so that no page of it can be missing when there is no room left; and it
stays mapped until the process ends, because another thread may write to it at any moment.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_READ_AND_WRITE = 0x1 | 0x2
_SHARED = 0x1
"""PROT_READ, PROT_WRITE and MAP_SHARED have these values on Linux and macOS."""
_FAILED = ctypes.c_void_p(-1).value


class Mapped:
    """A new file of one size, for this user alone.

    Raises:
        OSError: it cannot be made or mapped.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if os.write(fd, bytes(size)) != size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            self._memory = _map(fd, size)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(fd)

    def write(self, data: bytes, at: int) -> None:
        """Put something there. What goes beyond the end is cut off."""
        place = self._memory[at : at + len(data)]
        place[:] = data[: len(place)]

    def remove(self) -> None:
        """Take the file's name away.

        Raises:
            OSError: it cannot be done; one that is gone already is no error.
        """
        self.path.unlink(missing_ok=True)


def _map(fd: int, size: int) -> memoryview:
    if sys.platform == "win32":
        import mmap  # keeps a handle of its own, which no cell can close by its number

        return memoryview(mmap.mmap(fd, size))
    # Python's own mmap holds a copy of the descriptor, and at the end closes whatever has its number by then.
    libc = ctypes.PyDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong]
    address = libc.mmap(None, size, _READ_AND_WRITE, _SHARED, fd, 0)
    if address == _FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")
