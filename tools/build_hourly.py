"""Builds `carbon_magic/data/hourly.csv` from the full table of hourly profiles.

The full table has a row for each hour; the package keeps a row for each grid and month with 24 factors, and leaves out
the levels, which are those of 2020 and 2021: only how an hour compares with others of its grid is used.

Usage: python tools/build_hourly.py FULL_TABLE.csv
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "carbon_magic" / "data" / "hourly.csv"


def main(path: str) -> None:
    factors: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    about: dict[str, tuple[str, str]] = {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            about[row["profile"]] = (row["timezone"], row["applies_to"])
            factors[row["profile"], int(row["month"])][int(row["hour_local"])] = row["factor"]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["grid", "timezone", "regions", "month", *(f"h{hour:02}" for hour in range(24))])
        for (grid, month), hours in factors.items():
            writer.writerow([grid, *about[grid], month, *(hours[hour] for hour in range(24))])
    print(f"{TARGET}: {len(factors)} rows, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").strip().splitlines()[-1])
    main(sys.argv[1])
