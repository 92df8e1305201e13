"""The first line of each cell's code, for a panel that has no notebook to look it up in.

It comes from the kernel's own memory of what was run, and goes to this kernel's widgets alone: neither the comm, whose
front ends have the notebook, nor the ledger is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from carbon_magic.comm import messages

LONGEST = 120
_FAR = 10_000
"""Further into a cell no first line is looked for."""


def with_code(message: messages.Message, first_line: Callable[[int], str | None]) -> messages.Message:
    """The message with the `code` of its cells; another object where there are any, since others are sent the same."""
    kind = message["type"]
    if kind == "record":
        return {**message, "cell": _told(message["cell"], first_line)}
    key = {"tick": "running", "history": "cells"}.get(kind)
    if key is None or not message[key]:
        return message
    return {**message, key: [_told(cell, first_line) for cell in message[key]]}


def remembered(shell: Any) -> Callable[[int], str | None]:
    """What IPython remembers as the first line of an execution by its number; None where it remembers nothing."""

    def first_line(count: int) -> str | None:
        inputs = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None)
        # Whoever has reset the history, or put something else there, sees no code.
        if not isinstance(inputs, list) or not 0 < count < len(inputs) or not isinstance(inputs[count], str):
            return None
        for line in inputs[count][:_FAR].splitlines():
            if not line.isspace() and line:
                return str(line)
        return None

    return first_line


def _told(cell: messages.Message, first_line: Callable[[int], str | None]) -> messages.Message:
    count = cell["execution_count"]
    line = first_line(count) if isinstance(count, int) else None
    return {**cell, "code": None if line is None else line[:LONGEST].encode("utf-8", "replace").decode("utf-8")}
