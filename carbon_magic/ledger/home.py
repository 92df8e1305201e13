"""Where records are kept: a folder of the user's own, and in it one file per host.

Where that folder is on a network file system, SQLite's shared memory does not work between hosts and its locks may
not either, so there each session writes a file of its own. What is not known to be local counts as network: that
costs a few more files, the other error costs records.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
MAX_MOUNTINFO_BYTES = 4 << 20
MAX_FILES = 10_000
"""More ledger files than this in one folder are not looked at."""
MAX_ASIDE = 3
"""As many files that were set aside are named."""

_DISKS = "bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs hfs hfsplus iso9660 jfs msdos nilfs2 ntfs ntfs3"
_DISKS += " reiserfs squashfs udf ufs vfat xfs zfs"
_MEMORY_AND_LAYERS = "aufs devtmpfs overlay ramfs rootfs tmpfs"
LOCAL = frozenset(f"{_DISKS} {_MEMORY_AND_LAYERS}".split())
"""File systems of this machine's own disks and memory, by the kernel's names. NFS, SMB, Lustre, GPFS, BeeGFS, Ceph,
9p, AFS and FUSE are not among them, and nor is whatever is not known here."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OURS = re.compile(r"(ledger|session)-[A-Za-z0-9._-]+\.db")
_ASIDE = re.compile(_OURS.pattern + r"\.corrupt-[0-9TZ.]+")
_MNT_LOCAL = 0x1000
"""Of macOS's `sys/mount.h`: the file system is on a disk of this machine."""
_DRIVE_REMOTE = 4
"""Of Windows' `GetDriveTypeW`."""


class HomelessError(OSError):
    """There is no folder for records: no home directory is known."""


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the records: `CARBON_MAGIC_HOME`, or the platform's folder for a user's data.

    Raises:
        HomelessError: neither is known.
    """
    said = environ.get("CARBON_MAGIC_HOME", "").strip()
    if said:
        found = Path(os.path.expanduser(said))  # noqa: PTH111 (Path's own raises where nobody is known)
        if said.startswith("~") and not found.is_absolute():
            raise HomelessError(f"CARBON_MAGIC_HOME is {said}, and no home directory is known")
        return found.absolute()
    usual = _usual()
    if usual is None:
        raise HomelessError("no home directory is known; set CARBON_MAGIC_HOME")
    return usual


def _usual() -> Path | None:
    """The platform's folder; None where no home directory is known."""
    import platformdirs

    try:
        found = Path(platformdirs.user_data_dir("carbon-magic", appauthor=False))
    except (KeyError, RuntimeError):
        return None
    return found if found.is_absolute() else None


def files(home: Path) -> list[Path]:
    """The ledger's files in a folder, by name. A folder that does not exist holds none.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        with os.scandir(home) as entries:
            found = [entry.path for entry in entries if _OURS.fullmatch(entry.name) and entry.is_file()]
    except FileNotFoundError:
        return []
    return sorted(map(Path, found))[:MAX_FILES]


def set_aside(home: Path) -> list[str]:
    """In words, which broken files were set aside here and still are: what they hold is in no figure.

    A folder that cannot be read has none.
    """
    try:
        names = sorted(name for name in os.listdir(home) if _ASIDE.fullmatch(name))  # noqa: PTH208 (names are enough)
    except OSError:
        return []
    return [f"{name} was broken and is set aside; delete it once you need it no more" for name in names[:MAX_ASIDE]]


def own_file(home: Path, session_id: str, network: bool) -> Path:
    """The file that a session of this host writes to."""
    return home / (f"session-{file_name(session_id)}.db" if network else f"ledger-{file_name(host())}.db")


def make_home(home: Path) -> None:
    """Make the folder, which nobody else may look into. One that somebody chose and that is there is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    if not os.environ.get("CARBON_MAGIC_HOME", "").strip() and home == _usual():
        make_private(home, 0o700)


def make_private(path: Path, mode: int) -> None:
    """Take away what others may do with a file or folder of this user's own."""
    if hasattr(os, "getuid"):
        with contextlib.suppress(OSError):  # a file system without owners or modes: nothing can be done about it
            found = path.stat()
            if found.st_uid == os.getuid() and found.st_mode & 0o077:
                path.chmod(mode)


def host() -> str:
    """This machine's name on the network, or `unnamed`."""
    import platform

    return platform.node() or "unnamed"


def is_network(path: Path, mountinfo: Path | None = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a path is, or would be, on a network file system or on one that is not known.

    Args:
        path: the folder; it need not exist yet.
        mountinfo: a file in the form of Linux's /proc/self/mountinfo, in place of this process's own.
        environ: may name such a file too: `CARBON_MAGIC_MOUNTINFO`.
    """
    said = environ.get("CARBON_MAGIC_MOUNTINFO")
    if mountinfo is None and not said:
        if sys.platform == "darwin":
            return _is_network_macos(path)
        if sys.platform == "win32":
            return _is_network_windows(path)
    return filesystem(path, mountinfo or (Path(said) if said else MOUNTINFO)) not in LOCAL


def filesystem(path: Path, mountinfo: Path = MOUNTINFO) -> str | None:
    """The kind of file system that a path is on, by its longest mount; None where it is not told."""
    try:
        with mountinfo.open("rb") as file:
            listed = file.read(MAX_MOUNTINFO_BYTES)
    except OSError:
        return None
    target = os.fsencode(os.path.realpath(path))
    longest, kind = -1, None
    for line in listed.splitlines():
        # id parent major:minor root mount-point options [tags...] - kind source options
        head, _, tail = line.partition(b" - ")
        fields, kinds = head.split(b" "), tail.split(b" ")
        if len(fields) < 6 or not kinds[0]:
            continue
        point = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8) & 0xFF]), fields[4])
        inside = target == point or target.startswith(point.rstrip(b"/") + b"/")
        # The later of two mounts on one point hides the earlier.
        if inside and len(point) >= longest:
            longest, kind = len(point), kinds[0].decode("ascii", "replace")
    return kind


def file_name(name: str) -> str:
    """A name as it may stand in a file's name on any platform."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:40] or "x"
    return f"{kept}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _is_network_macos(path: Path) -> bool:
    import ctypes  # only macOS needs it here

    libc = ctypes.CDLL(None, use_errno=True)
    statfs = getattr(libc, "statfs$INODE64", None) or libc.statfs
    buffer = ctypes.create_string_buffer(4096)
    if statfs(os.fsencode(_nearest(path)), buffer) != 0:
        return True
    flags = int.from_bytes(buffer.raw[64:68], sys.byteorder)  # f_flags of `struct statfs` with 64-bit inodes
    return not flags & _MNT_LOCAL


def _is_network_windows(path: Path) -> bool:
    drive = os.path.splitdrive(os.path.realpath(path))[0]
    if drive.startswith("\\\\"):
        return True
    if sys.platform != "win32":  # for the type checker, which knows windll on Windows alone
        return False
    import ctypes  # only Windows needs it here

    return int(ctypes.windll.kernel32.GetDriveTypeW(drive + "\\")) == _DRIVE_REMOTE


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    real = Path(os.path.realpath(path))
    return next((folder for folder in (real, *real.parents) if folder.exists()), real)
