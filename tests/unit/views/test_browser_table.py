"""The browser's regions: the file is what the engine gives, and ranks and overlaps as the engine does."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import carbon_magic
from carbon_magic.grid.intensity import intensity
from carbon_magic.grid.regions import all_regions
from carbon_magic.views.browser_table import COLUMNS, browser_table

FILE = Path(carbon_magic.__file__).parent / "views" / "browser" / "regions.json"


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def _rows(table: dict[str, Any]) -> dict[str, dict[str, object]]:
    return {row[0]: dict(zip_longest(COLUMNS, row)) for row in table["rows"]}


def test_the_file_is_what_the_engine_gives(shipped: dict[str, Any]) -> None:
    assert shipped == json.loads(json.dumps(browser_table())), "run python tools/build_browser_regions.py"
    assert FILE.stat().st_size < 80_000


def test_rows_by_value(shipped: dict[str, Any]) -> None:
    rows = _rows(shipped)
    assert len(rows) == 491
    quebec = rows["CA-QC"]
    assert (quebec["best"], quebec["method"], quebec["direct"], quebec["kind"]) == (28.0, "mix", 2.6, "subdivision")
    stockholm = rows["aws:eu-north-1"]
    assert (stockholm["best"], stockholm["year"], stockholm["source"]) == (35.35, 2025, "ember2026")
    assert (stockholm["pue"], stockholm["provider"], stockholm["name"]) == (1.1, "aws", "Europe (Stockholm)")
    assert (stockholm["continent"], stockholm["eu"]) == ("Europe", 1)
    assert (rows["GB"]["eu"], rows["CA-QC"]["continent"], rows["WORLD"]["continent"]) == (0, "North America", None)
    assert rows["MM"]["aliases"] == ["MMR", "burma"]
    assert stockholm["direct"] is None
    assert rows["FR"]["pue"] is None
    assert all(row["method"] in shipped["methods"] and row["source"] in shipped["sources"] for row in rows.values())


def test_it_ranks_as_the_engine_does_and_keeps_every_bound(shipped: dict[str, Any]) -> None:
    rows = _rows(shipped)
    by_engine, by_browser = {}, {}
    for row in all_regions():
        pue = row.pue if row.kind == "cloud" and row.pue is not None else 1.0
        found, bounds = rows[row.id], intensity(row.id)
        by_engine[row.id] = bounds.best * pue
        by_browser[row.id] = float(str(found["best"])) * float(str(found["pue"] or 1.0))
        low, best, high = (float(str(found[name])) for name in ("low", "best", "high"))
        assert best == bounds.best
        assert bounds.low * 0.999 < low <= bounds.low * (1 + 1e-9)
        assert bounds.high * (1 - 1e-9) <= high < bounds.high * 1.001
    assert sorted(by_engine, key=by_engine.__getitem__) == sorted(by_browser, key=by_browser.__getitem__)
