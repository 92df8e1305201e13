"""Files that a command writes, a part at a time: whole or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from carbon_magic.run import UsageError
from carbon_magic.run.output import replacing
from carbon_magic.troubles import in_words
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
        try:
            yield plain_output()
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"standard output cannot be written: {in_words(error)}") from None
        return
    shown = clean(given, 300)
    try:
        path = Path(given).resolve()
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"-o {shown}: cannot be written: {in_words(error)}") from None
    if is_folder:
        raise UsageError(f"-o {shown}: is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"-o {shown}: cannot be written: there is no folder {clean(str(path.parent), 300)}")
    try:
        with replacing(path) as file:
            stream = io.TextIOWrapper(file, encoding="utf-8", newline="")
            yield stream
            stream.flush()
            stream.detach()
    except OSError as error:
        raise UsageError(f"-o {shown}: cannot be written: {in_words(error)}") from None


def plain_output() -> TextIO:
    """Standard output for data: UTF-8 and plain line ends on every platform."""
    getattr(sys.stdout, "reconfigure", lambda **_: None)(encoding="utf-8", errors="backslashreplace", newline="\n")
    return sys.stdout
