"""Builds `carbon_magic/views/browser/regions.json`, the regions as the browser has them, from the package's own table.

A test fails where the file is not what this would write.

Usage: python tools/build_browser_regions.py
"""

from __future__ import annotations

import json
from pathlib import Path

from carbon_magic.views.browser_table import browser_table

TARGET = Path(__file__).resolve().parent.parent / "carbon_magic" / "views" / "browser" / "regions.json"


def text() -> str:
    """A row a line, so that a change of one region is a change of one line."""
    table = browser_table()
    rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in table.pop("rows"))
    head = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"rows":[\n{rows}\n]}}\n'


def main() -> None:
    TARGET.write_text(text(), encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
