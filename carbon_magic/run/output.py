"""Files that a run writes: whole or not at all, and known to be writable before the run begins.

A file is written beside its place under another name and moved there when it is complete, so that a full disk or a
killed process leaves what was there before. What is no regular file (`/dev/null`, a pipe) is written to directly.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from carbon_magic.ledger.record import CellRecord
from carbon_magic.run import UsageError
from carbon_magic.run.notebooks import Notebook
from carbon_magic.troubles import in_words
from carbon_magic.views.plain import clean


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when it is complete. A pipe or a device is written directly.

    Raises:
        OSError: it cannot be written; what was there before is left.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:  # noqa: PTH123
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file as UTF-8, replacing what was there when it is complete.

    Raises:
        OSError: it cannot be written; what was there before is left.
    """
    content = text.encode("utf-8")
    with replacing(path) as file:
        file.write(content)


def check_writable(path: Path, option: str) -> None:
    """Find out, by trying, whether a file could be written.

    Raises:
        UsageError: it could not.
    """
    shown = clean(str(path), 300)
    if path.is_dir():
        raise UsageError(f"{option} {shown}: is a folder")
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            return
        beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        beside.unlink()
    except (OSError, ValueError) as error:
        raise UsageError(f"{option} {shown}: cannot be written: {in_words(error)}") from None


def executed_paths(notebooks: list[Notebook], out: str) -> dict[str, Path]:
    """Where `-o OUT` puts each executed notebook, by its path as given: OUT, or a file in the folder OUT.

    OUT is a folder if it exists as one or ends in a slash; then it is made.

    Raises:
        UsageError: several notebooks for one file, or a file that cannot be written.
    """
    shown = clean(out, 300)
    if not out:
        raise UsageError("-o names no file and no folder")
    folder = Path(out)
    if folder.is_dir() or out.endswith(("/", os.sep)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"-o {shown}: the folder cannot be made: {in_words(error)}") from None
        paths = {notebook.given: folder / notebook.path.name for notebook in notebooks}
    else:
        paths = {notebook.given: folder for notebook in notebooks}
        if len(paths) > 1:
            raise UsageError(f"-o {shown} is one file for {len(paths)} notebooks: give a folder, {shown}/")
    names: dict[Path, str] = {}
    for given, path in paths.items():
        other = names.setdefault(path.resolve(), given)
        if other != given:
            raise UsageError(f"-o {shown}: {clean(other, 300)} and {clean(given, 300)} would both be written to {path}")
        check_writable(path, "-o")
    return paths


def records_json(records: list[CellRecord]) -> str:
    """The array of records, a field a line, and a newline at its end."""
    return json.dumps([record.as_dict() for record in records], indent=2, allow_nan=False) + "\n"


def notebook_json(node: Any) -> str:
    """An executed notebook as nbformat writes it, without the state of widgets."""
    import nbformat

    writes: Any = nbformat.writes
    with warnings.catch_warnings():
        # A notebook whose file broke the format's finer rules was run all the same; that is no news to people now.
        warnings.simplefilter("ignore")
        return str(writes(node)) + "\n"
