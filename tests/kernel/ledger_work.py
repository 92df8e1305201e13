"""A process with an IPython shell in it that runs cells and keeps what they cost, for tests that kill it.

    python ledger_work.py FOLDER CELLS [SECONDS]

runs CELLS short cells (0 for no end), then one of SECONDS. Its session's id and then the number of each cell go into
FOLDER's file `told` in the instant that the cell has ended, and nothing is waited for: whatever happens later, a cell
that was told of is in the ledger.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

BATCH = 200
"""After so many cells at full speed there is a moment's rest, in which figures are settled."""


def main() -> None:
    folder, cells, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    folder.mkdir(parents=True, exist_ok=True)
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext carbon_magic", store_history=True)

    from carbon_magic import session as sessions

    session = sessions.current()
    assert session is not None
    with (folder / "told").open("a", encoding="utf-8") as told:
        print(session.snapshot().session_id, file=told, flush=True)
        for number in itertools.count(1) if cells == 0 else range(1, cells + 1):
            shell.run_cell("sum(range(20_000));", store_history=True)
            print(shell.execution_count - 1, file=told, flush=True)
            if number % BATCH == 0:
                time.sleep(1.5)
    if seconds:
        shell.run_cell(f"__import__('time').sleep({seconds})", store_history=True)


if __name__ == "__main__":
    main()
