"""What each notebook cell costs in energy and CO2e, shown while you work.

`%load_ext carbon_magic` tracks every cell from then on, silently; `%carbon help` says what can be asked. Importing the
package imports nothing else: what is heavy is imported where it is used.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext carbon_magic`: track every cell of this kernel. Calling it again changes nothing."""
    from carbon_magic.extension import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext carbon_magic`: stop, and leave no thread, hook or descriptor behind."""
    from carbon_magic.extension import unload

    unload(ipython)
