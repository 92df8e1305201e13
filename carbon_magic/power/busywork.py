"""Known load for a calibration: so many processors kept busy, by one of two programs that draw differently.

Each worker is a process of its own, because threads of one interpreter take turns. A worker ends by itself when whoever
started it is gone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAMS: dict[str, str] = {
    "interpreter": "sum(range(20_000))",
    "vectors": "hashlib.pbkdf2_hmac('sha512', b'carbon', b'magic', 4_000)",
}
"""What a worker does again and again: Python's own work, and a library's compiled loop."""

_WORKER = "import hashlib, os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    {program}\n"
_END_S = 5.0


@contextmanager
def busy(workers: int, program: str) -> Iterator[None]:
    """Keep so many processors busy while the block runs; `program` is a key of `PROGRAMS`.

    Raises:
        OSError: a process cannot be started.
    """
    code = _WORKER.format(program=PROGRAMS[program])
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(workers):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", code],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait(_END_S)
