"""What a terminal that knows few characters gets."""

from __future__ import annotations

import io
import sys

import pytest

from carbon_magic.views.shown import Shown

SHOWN = Shown("0.69\u00a0µWh (0.19–1.7), ≈ 2 █", "<b>0.69</b>")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_unit_is_spelled_where_it_cannot_be_written(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print(SHOWN)
    print(repr(SHOWN))
    stream.flush()
    assert repr(SHOWN) == "0.69 uWh (0.19-1.7), ~ 2 #"


def test_a_terminal_that_knows_all_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert repr(SHOWN) == SHOWN.text
