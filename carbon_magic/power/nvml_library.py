"""NVIDIA's management library (NVML) as this package holds it: loaded quietly, initialised and shut down in pairs.

Other code in the same process may use NVML too. It counts its users itself, so that what is initialised here and shut
down here again never takes it from anybody else, and its Python binding is loaded without touching what they import.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any


def binding() -> Any:
    """The module `pynvml`, loaded under a name of our own unless it is loaded already.

    A deprecated package installs an import hook for that name, which prints a warning into the running cell.

    Raises:
        ImportError: it is not installed.
    """
    if "pynvml" in sys.modules:
        import pynvml

        return pynvml
    name = "carbon_magic.power._pynvml"
    if name not in sys.modules:
        spec = PathFinder.find_spec("pynvml")
        if spec is None or spec.origin is None:
            raise ImportError("there is no module pynvml")
        own = spec_from_file_location(name, spec.origin)
        if own is None or own.loader is None:
            raise ImportError(f"{spec.origin} is no Python module")
        module = module_from_spec(own)
        sys.modules[name] = module  # it looks itself up there
        try:
            own.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


class Library:
    """NVML, initialised once for the sensors of one search and shut down with the last of them.

    Args:
        nvml: the module that `binding` returns.

    Raises:
        NVMLError: there is no library, no driver, or it does not answer.
    """

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        self._users = 1
        self._lock = threading.Lock()
        nvml.nvmlInit()

    def hold(self) -> None:
        """One more sensor needs it."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """One sensor less needs it."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            # Where the driver is gone there is nothing left to give back.
            with contextlib.suppress(self.nvml.NVMLError):
                self.nvml.nvmlShutdown()
