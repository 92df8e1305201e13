"""Notebooks run without a front end: `carbon-magic run`.

A notebook is executed by nbclient in a real kernel in which the extension is loaded before the first cell. The kernel's
session writes each finished cell to a file, the *sink*, in a folder that only this user can read; the runner reads it
while the notebook runs. `feed.py` is the session's end of that file, the only part that a kernel imports.
`notebooks.py` reads and checks what is to be run, `kernels.py` starts and asks kernels, `runner.py` executes,
`sink.py` reads records, `report.py` and `progress.py` show them, `output.py` writes files.
"""

from __future__ import annotations


class UsageError(Exception):
    """What was asked for cannot be run, in one line for people. The command line ends with exit code 2."""
