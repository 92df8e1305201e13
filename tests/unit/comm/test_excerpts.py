"""The first line of a cell's code: bounded, from the kernel's memory, and in nobody else's message."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from carbon_magic.comm.excerpts import LONGEST, remembered, with_code


def shell(*inputs: object) -> Any:
    return SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=["", *inputs]))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny", "x = 1"),
        ("\n  \n\tx = 1", "\tx = 1"),
        ("%%carbon -n train\nfit()", "%%carbon -n train"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("", None),
        ("\n \n", None),
        ("\n" * 1_000_000 + "x", None),
        (7, None),
    ],
)
def test_the_first_line_that_is_not_blank(source: object, line: str | None) -> None:
    assert remembered(shell(source))(1) == line


@pytest.mark.parametrize("count", [-1, 0, 2, 10**9])
def test_what_is_not_remembered_is_unknown(count: int) -> None:
    assert remembered(shell("x"))(count) is None


@pytest.mark.parametrize("changed", [None, object(), SimpleNamespace(history_manager=None)])
def test_a_changed_shell_is_no_error(changed: Any) -> None:
    assert remembered(changed)(1) is None


def test_cells_are_told_with_their_code_and_the_message_itself_is_left() -> None:
    first_line = remembered(shell("a" * 1000, "\udc80"))
    record = {"type": "record", "cell": {"execution_count": 1}, "totals": None}
    assert with_code(record, first_line)["cell"] == {"execution_count": 1, "code": "a" * LONGEST}
    assert record["cell"] == {"execution_count": 1}
    tick = {"type": "tick", "running": [{"execution_count": 2}, {"execution_count": None}]}
    assert with_code(tick, first_line)["running"] == [
        {"execution_count": 2, "code": "?"},
        {"execution_count": None, "code": None},
    ]
    history = {"type": "history", "cells": [{"execution_count": 3}]}
    assert with_code(history, first_line)["cells"] == [{"execution_count": 3, "code": None}]
    state = {"type": "state"}
    assert with_code(state, first_line) is state
