"""What is to be run, read and checked before anything runs.

A path given on the command line becomes a `Notebook`, or a `UsageError` that says in one line why it cannot be run. The
file is somebody else's: its size is bounded and only its structure is trusted, after it was looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carbon_magic.run import UsageError
from carbon_magic.views.plain import clean

MAX_NOTEBOOK_BYTES = 512 << 20
"""Larger files are refused: a notebook is held in memory as a whole, several times."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook to run."""

    given: str
    """The path as it was given."""
    path: Path
    """The path, absolute."""
    node: Any
    """The `nbformat.NotebookNode`, in format 4."""
    kernel: str | None
    """The kernel its metadata name, or None."""

    @property
    def code_cells(self) -> list[Any]:
        """The cells that are executed."""
        return [cell for cell in self.node.cells if will_run(cell)]


def read_notebook(given: str) -> Notebook:
    """Read the notebook at a path.

    Raises:
        UsageError: there is no such file, it cannot be read, or it is no notebook of format 4.
    """
    shown = clean(given, 300)
    data = _read_json(Path(given), shown)
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int) or data["nbformat"] is True:
        raise UsageError(f"{shown} is no notebook: it is JSON, but without a notebook's cells and nbformat")
    major = data["nbformat"]
    if major < 4:
        raise UsageError(
            f"{shown} is a notebook of the old format {major}: upgrade it with "
            f"'jupyter nbconvert --to notebook --inplace {shown}', or open it in JupyterLab and save it"
        )
    if major > 4:
        raise UsageError(f"{shown} is a notebook of format {major}, which is newer than this version knows (4)")
    if not _is_sound(data):
        raise UsageError(f"{shown} is no notebook: its cells are not as the format has them")
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{shown} holds half a surrogate pair, which no kernel can be sent: take it out") from None
    import nbformat

    from_dict: Any = nbformat.from_dict
    notebook = Notebook(given, Path(given).resolve(), from_dict(data), _kernel(data["metadata"]))
    for cell in notebook.node.cells:
        cell.source = _joined(cell.source)
        if will_run(cell):
            cell.outputs = []
            cell.execution_count = None
    return notebook


def will_run(cell: Any) -> bool:
    """Whether a cell is executed: code that is not blank and not tagged `skip-execution`, as nbclient has it."""
    tags = cell.metadata.get("tags", [])
    return bool(cell.cell_type == "code" and cell.source.strip() and "skip-execution" not in tags)


def _read_json(path: Path, shown: str) -> object:
    try:
        if path.is_dir():
            raise UsageError(f"{shown} is a folder, not a notebook")
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
            raise UsageError(f"{shown} is larger than {MAX_NOTEBOOK_BYTES >> 20} MiB: too large for a notebook")
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{shown}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown} cannot be read: {_reason(error)}") from None
    try:
        data: object = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UsageError(f"{shown} is no notebook: it is not JSON") from None
    return data


def _is_sound(data: dict[str, Any]) -> bool:
    cells, metadata = data.get("cells"), data.setdefault("metadata", {})
    return (
        isinstance(cells, list)
        and isinstance(metadata, dict)
        and isinstance(data.setdefault("nbformat_minor", 0), int)
        and all(
            isinstance(cell, dict)
            and isinstance(cell.get("cell_type"), str)
            and isinstance(cell.setdefault("metadata", {}), dict)
            and isinstance(cell["metadata"].get("tags", []), list)
            and _is_source(cell.get("source"))
            for cell in cells
        )
    )


def _is_source(source: object) -> bool:
    return isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _kernel(metadata: dict[str, Any]) -> str | None:
    spec = metadata.get("kernelspec")
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) and name else None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
