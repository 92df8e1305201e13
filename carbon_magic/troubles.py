"""What is wrong with a file or a database, in words that say what to do about it."""

from __future__ import annotations

import errno
import sys

_FULL = "there is no room left on its disk: free some and try again"
_FORBIDDEN = "you have no permission for it: choose another place, or have its permissions changed"
_READ_ONLY = "its file system is read-only: choose another place"

_BY_NUMBER = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "your share of the disk is used up: free some and try again",
    errno.EFBIG: "it is larger than its file system takes: choose another place",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _READ_ONLY,
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "its links go round in circles",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EMFILE: "too many files are open: close some programs and try again",
    errno.ENFILE: "too many files are open: close some programs and try again",
    errno.ESTALE: "the server of its file system has lost it: try again",
    errno.EIO: "its disk does not work as it should: look at the system's log",
}
_BY_SQLITE = {
    5: "another program is writing to it and does not let go: try again",
    6: "another program is writing to it and does not let go: try again",
    8: "it may not be written: choose another place, or have its permissions changed",
    10: "its disk is full or does not work as it should: free some room and try again",
    11: "what stands in it is no longer a database",
    13: _FULL,
    14: "it cannot be opened: look whether its folder is there and may be written",
    26: "it is no database",
}
"""By SQLite's primary result codes (sqlite.org/rescode.html): BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN,
NOTADB."""
_SQLITE_SAYS = {
    "locked": 5,
    "readonly": 8,
    "disk I/O": 10,
    "malformed": 11,
    "is full": 13,
    "unable to open": 14,
    "not a database": 26,
}
"""By what SQLite's messages hold: before Python 3.11 they are all there is."""


def in_words(error: BaseException) -> str:
    """What an error of a file or a database means; its own text where that is not known here."""
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_NUMBER.get(error.errno) or error.strerror or str(error)
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is not None and isinstance(error, sqlite3.Error):
        said = next((code for words, code in _SQLITE_SAYS.items() if words in str(error)), -1)
        return _BY_SQLITE.get(getattr(error, "sqlite_errorcode", said) & 0xFF) or str(error)
    return str(error)
