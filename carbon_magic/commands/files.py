"""Files that a command writes, a part at a time: whole or not at all, as `run/output.py` has it for short ones."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from carbon_magic.run import UsageError
from carbon_magic.views.plain import clean


@contextmanager
def writing(given: str | None) -> Iterator[TextIO]:
    """The stream to write a command's answer to: standard output, or a file that takes its place when it is complete.

    Args:
        given: the file as it was named; None or `-` for standard output.

    Raises:
        UsageError: the file cannot be written; what was there before is left.
    """
    if given is None or given == "-":
        yield plain_output()
        sys.stdout.flush()
        return
    shown = clean(given, 300)
    try:
        path = Path(given).resolve()
        is_folder, is_other = path.is_dir(), path.exists() and not path.is_file()
    except (OSError, ValueError) as error:
        raise UsageError(f"-o {shown}: cannot be written: {error}") from None
    if is_folder:
        raise UsageError(f"-o {shown}: is a folder")
    try:
        if is_other:
            # A pipe or a device: it is written to directly.
            with path.open("w", encoding="utf-8", newline="") as stream:
                yield stream
            return
        beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with open(descriptor, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123 - of a descriptor
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if path.exists():
                beside.chmod(path.stat().st_mode & 0o777)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"-o {shown}: cannot be written: {error.strerror or error}") from None


def plain_output() -> TextIO:
    """Standard output for data: UTF-8 and plain line ends on every platform."""
    getattr(sys.stdout, "reconfigure", lambda **_: None)(encoding="utf-8", errors="backslashreplace", newline="\n")
    return sys.stdout
