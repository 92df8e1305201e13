"""What each notebook cell costs in energy and CO2e, shown while you work.

`%load_ext carbon_magic` tracks every cell from then on, silently; `%carbon help` says what can be asked. `track`
measures any piece of code, in scripts too. Importing the package imports nothing else: what is heavy is imported where
it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carbon_magic.tracking import track

__all__ = ["__version__", "load_ipython_extension", "track", "unload_ipython_extension"]

__version__ = "0.1.0"

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`track` is imported when somebody asks for it."""
        if name == "track":
            from carbon_magic.tracking import track

            globals()["track"] = track
            return track
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext carbon_magic`: track every cell of this kernel. Calling it again changes nothing."""
    from carbon_magic.resident import resident_bytes

    before_bytes = resident_bytes()
    from carbon_magic.extension import load

    load(ipython, before_bytes)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext carbon_magic`: stop, and leave no thread, hook or descriptor behind."""
    from carbon_magic.extension import unload

    unload(ipython)
