"""How long it takes to compare one energy in all regions, once the table is loaded. The budget is 2 ms.

Usage: python tests/bench/compare.py
"""

from __future__ import annotations

import statistics
import time

from carbon_magic.grid.compare import compare
from carbon_magic.grid.intensity import place
from carbon_magic.grid.regions import all_regions
from carbon_magic.quantity import Interval

BUDGET_MS = 2.0
TIMES = 200


def main() -> None:
    ids = [row.id for row in all_regions()]
    here, energy_j = place("PL", "user"), Interval(1.2e5, 1.5e5, 2.0e5)
    began = time.perf_counter()
    compare(here, ids, energy_j)
    first_ms = 1e3 * (time.perf_counter() - began)
    taken_ms = []
    for _ in range(TIMES):
        began = time.perf_counter()
        compare(here, ids, energy_j)
        taken_ms.append(1e3 * (time.perf_counter() - began))
    median, worst = statistics.median(taken_ms), max(taken_ms)
    within = "within" if median <= BUDGET_MS else "over"
    print(
        f"{len(ids)} regions: {median:.2f} ms (median of {TIMES}; {min(taken_ms):.2f} to {worst:.2f}), "
        f"{within} the budget of {BUDGET_MS:.0f} ms; the first time for a place {first_ms:.1f} ms"
    )


if __name__ == "__main__":
    main()
